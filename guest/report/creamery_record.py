# -*- coding: utf-8 -*-
"""What every reporter shares: the event pipe, test ids fit to be shown, stacks on request. Python 2.7 to 3.15 and PyPy.

An event is one line of JSON, shorter than PIPE_BUF, written by one write(2): lines of many processes never mix.
"""

import json
import os
import re
import sys

MAX_LINE = 4000
MAX_ID = 400
MAX_MESSAGE = 2000
# Above the descriptors that test suites count, close or expect to be given.
HIGH_FD = 500
DUMP_SIGNAL = 62

# The same characters as in the host's bounded text: controls, bidirectional and invisible ones, lone surrogates.
_UNSAFE = re.compile(
    u"[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
    if sys.maxunicode > 0xFFFF
    else u"[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)


def text_of(value):
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    try:
        return u"%s" % (value,)
    except Exception:
        return u"<unprintable>"


def _escape(match):
    code = ord(match.group())
    return u"\\x%02x" % code if code < 0x100 else u"\\u%04x" % code


def canonical(ident):
    """An id that is printable and bounded, and the same whenever the same test is meant."""
    ident = _UNSAFE.sub(_escape, text_of(ident))
    if len(ident) > MAX_ID:
        import hashlib

        digest = hashlib.sha256(ident.encode("utf-8", "replace")).hexdigest()[:12]
        ident = u"%s~%s" % (ident[: MAX_ID - 13], digest)
    return ident


def clipped(message):
    """The beginning, and more of the end: that is where Python says what happened."""
    message = text_of(message)
    if len(message) <= MAX_MESSAGE:
        return message
    return message[: MAX_MESSAGE // 4] + u"\n[...]\n" + message[-(MAX_MESSAGE * 3 // 4 - 7) :]


def wanted_ids():
    """The ids that the host wants run, or None for all; `#2` of a repeated id means its base."""
    path = os.environ.get("CREAMERY_ONLY_IDS")
    if not path:
        return None
    with open(path, "rb") as stream:
        lines = stream.read().decode("utf-8", "replace").split(u"\n")
    wanted = set()
    for line in lines:
        if line:
            wanted.add(line)
            wanted.add(re.sub(u"#[0-9]+$", u"", line))
    return wanted


class Sink(object):
    """The write end of the event pipe. Opened by path, so that it is there whatever closed the inherited descriptors."""

    def __init__(self):
        self.path = os.environ.get("CREAMERY_EVENTS_PATH")
        self.fd = None
        self.identity = None
        self.held = b""
        self.pid = os.getpid()

    def _open(self):
        import fcntl

        fd = os.open(self.path, os.O_WRONLY)
        try:
            self.fd = fcntl.fcntl(fd, getattr(fcntl, "F_DUPFD_CLOEXEC", 1030), HIGH_FD)
        except (OSError, IOError, ValueError):
            # The limit on descriptors is lower than that.
            self.fd = os.dup(fd)
        os.close(fd)
        state = os.fstat(self.fd)
        self.identity = (state.st_dev, state.st_ino)

    def _ready(self):
        """Suites close descriptors that aren't theirs, and the number may be another file's by now."""
        if self.fd is not None:
            try:
                state = os.fstat(self.fd)
                if (state.st_dev, state.st_ino) == self.identity:
                    return
            except OSError:
                pass
        self._open()

    def _write(self, data):
        if not self.path:
            return
        try:
            self._ready()
            os.write(self.fd, data)
        except (OSError, IOError):
            # Nobody listens any more: the host will say that the report is not whole.
            pass

    def send(self, event, hold=False):
        """Writes the event now, or with the next one where `hold` is set."""
        line = self._line(event)
        if os.getpid() != self.pid:
            # What a forked child inherited is its parent's to send.
            self.pid, self.held = os.getpid(), b""
        if self.held and len(self.held) + len(line) > MAX_LINE:
            self._write(self.held)
            self.held = b""
        if hold:
            self.held += line
            return
        data, self.held = self.held + line, b""
        self._write(data)

    def _line(self, event):
        event["pid"] = os.getpid()
        while True:
            line = json.dumps(event, separators=(",", ":")).encode("ascii") + b"\n"
            if len(line) <= MAX_LINE:
                return line
            if len(event.get("m", u"")) > 40:
                event["m"] = event["m"][-(len(event["m"]) * 2 // 3) :]
            elif "m" in event:
                del event["m"]
            else:
                event["id"] = canonical(event.get("id", u"").encode("ascii", "replace")[:200])


sink = Sink()


def tell_imported():
    """Where the release's own modules came from in this process, once: what is tested must be what was installed."""
    names = os.environ.get("CREAMERY_TOP_LEVEL", "")
    if not names or getattr(tell_imported, "pid", None) == os.getpid():
        return
    tell_imported.pid = os.getpid()
    for name in names.split(","):
        module = sys.modules.get(name)
        if module is None:
            continue
        path = getattr(module, "__file__", None)
        if not path:
            # A namespace package: its first portion.
            path = next(iter(getattr(module, "__path__", ())), None)
        if path:
            sink.send({"e": "imported", "id": canonical(name), "path": clipped(text_of(path))[-1000:]})


class Owner(object):
    """The first process, and the first runner in it, that records owns the stream: what it starts in turn (a test of a
    test runner) is its own affair."""

    kind = None
    pid = None

    @classmethod
    def take(cls, kind):
        if cls.pid == os.getpid():
            return cls.kind == kind
        owner = os.environ.get("CREAMERY_RECORD_OWNER")
        if cls.pid is None and owner not in (None, "", str(os.getpid())):
            return False
        if cls.pid is not None:
            # A fork of the owner.
            return False
        cls.kind, cls.pid = kind, os.getpid()
        os.environ["CREAMERY_RECORD_OWNER"] = str(os.getpid())
        return True


def register_dump():
    """Has the agent's signal dump all stacks to the standard error of now, which captures of tests don't reach."""
    if os.environ.get("CREAMERY_STACKS") != "1" or getattr(register_dump, "done", False):
        return
    register_dump.done = True
    try:
        import fcntl

        fd = fcntl.fcntl(2, getattr(fcntl, "F_DUPFD_CLOEXEC", 1030), HIGH_FD + 1)
    except (ImportError, OSError, IOError, ValueError):
        fd = 2
    try:
        import faulthandler

        faulthandler.register(DUMP_SIGNAL, file=fd, all_threads=True)
    except (ImportError, AttributeError, RuntimeError, ValueError, OSError):
        import signal

        def dump(number, frame):
            import traceback

            for thread, top in sys._current_frames().items():
                os.write(fd, ("Thread %s:\n%s" % (thread, "".join(traceback.format_stack(top)))).encode("utf-8", "replace"))

        try:
            signal.signal(DUMP_SIGNAL, dump)
        except (ValueError, RuntimeError, OSError):
            pass
