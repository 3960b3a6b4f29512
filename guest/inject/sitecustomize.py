# -*- coding: utf-8 -*-
"""On PYTHONPATH only where the host asks for it: records runs of any test runner (CREAMERY_RECORD), attempts to write
outside of the job's places and to connect (CREAMERY_AUDIT), and dumps stacks on request (CREAMERY_STACKS).

Runs at the start of every Python process below an exec: does nothing that isn't asked for, and chains to the
sitecustomize that it hides. Python 2.7 to 3.15 and PyPy.
"""

import os
import sys


def _report_directory():
    return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "report")


def _import(name):
    """A reporter's module, without leaving its directory on the path of whoever didn't ask for it."""
    directory = _report_directory()
    present = directory in sys.path
    if not present:
        sys.path.append(directory)
    try:
        return __import__(name)
    finally:
        if not present:
            sys.path.remove(directory)


def _record():
    """Patches unittest's result class when, and if, somebody imports it."""
    os.environ.setdefault("PYTEST_PLUGINS", "creamery_pytest")

    class Finder(object):
        busy = False

        # Python 3.
        def find_spec(self, fullname, path=None, target=None):
            if fullname != "unittest" or Finder.busy:
                return None
            Finder.busy = True
            try:
                import importlib.util

                spec = importlib.util.find_spec("unittest")
            finally:
                Finder.busy = False
            if spec is None or spec.loader is None:
                return None
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                self.loaded()

            spec.loader.exec_module = exec_module
            return spec

        # Python 2.
        def find_module(self, fullname, path=None):
            return self if fullname == "unittest" and not Finder.busy else None

        def load_module(self, fullname):
            Finder.busy = True
            try:
                module = __import__(fullname)
            finally:
                Finder.busy = False
            self.loaded()
            return module

        def loaded(self):
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            _import("creamery_results").install()

    sys.meta_path.insert(0, Finder())


def _audit():
    """Soft evidence (code can go round it): what is denied by the system is denied whether this sees it or not."""
    if not hasattr(sys, "addaudithook"):
        return
    record = _import("creamery_record")
    allowed = ("/job/", "/tmp/", "/var/tmp/", "/home/", "/dev/", "/proc/", "/run/user/")
    changes = {
        "os.remove": (0,),
        "os.rename": (0, 1),
        "os.mkdir": (0,),
        "os.rmdir": (0,),
        "os.chmod": (0,),
        "os.chown": (0,),
        "os.truncate": (0,),
        "os.link": (1,),
        "os.symlink": (1,),
        "os.setxattr": (0,),
    }
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
    seen = set()

    def tell(kind, what):
        if (kind, what) not in seen and len(seen) < 200:
            seen.add((kind, what))
            record.sink.send({"e": "attempt", "kind": kind, "path" if kind == "write" else "target": what[:400]})

    def written(path):
        if isinstance(path, int) or path is None:
            return
        path = os.fsdecode(path)
        if not path.startswith("/"):
            path = os.getcwd() + "/" + path
        path = os.path.normpath(path)
        # Byte code that can't be cached is Python's own attempt, at every start.
        if not (path + "/").startswith(allowed) and "__pycache__" not in path:
            tell("write", path)

    busy = []

    def hook(event, args):
        if event != "open" and event not in changes and not event.startswith("socket."):
            return
        if busy:
            return
        busy.append(1)
        try:
            if event == "open":
                # PyPy tells the mode and, where CPython has the flags, how it is buffered.
                mode, flags = args[1], args[2]
                if any(c in mode for c in "wax+") if isinstance(mode, str) else isinstance(flags, int) and flags & writing:
                    written(args[0])
            elif event == "socket.connect":
                address = args[1]
                if isinstance(address, tuple) and not str(address[0]).startswith(("127.", "::1", "localhost")):
                    tell("connect", "%s:%s" % (address[0], address[1]))
            elif event == "socket.getaddrinfo":
                host = args[0]
                host = host.decode("ascii", "replace") if isinstance(host, bytes) else host
                # Addresses written as such are no lookups; connecting to them is told of by itself.
                if host and host != "localhost" and str(host).strip("0123456789.:abcdefABCDEF"):
                    tell("dns", str(host))
            elif event in changes:
                for index in changes[event]:
                    written(args[index])
        except Exception:
            pass
        finally:
            busy.pop()

    sys.addaudithook(hook)


def _chain():
    """Runs the sitecustomize that this one hides, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))
    hidden = [(index, entry) for index, entry in enumerate(sys.path) if os.path.abspath(entry) == here]
    for _, entry in hidden:
        sys.path.remove(entry)
    own = sys.modules.pop("sitecustomize", None)
    # Python 2 empties the globals of a module that nobody holds.
    sys.modules["creamery_sitecustomize"] = own
    try:
        __import__("sitecustomize")
    except ImportError:
        pass
    finally:
        if "sitecustomize" not in sys.modules and own is not None:
            sys.modules["sitecustomize"] = own
        for index, entry in hidden:
            sys.path.insert(index, entry)


try:
    if os.environ.get("CREAMERY_STACKS") == "1":
        _import("creamery_record").register_dump()
    if os.environ.get("CREAMERY_AUDIT") == "1" and os.environ.get("CREAMERY_EVENTS_PATH"):
        _audit()
    if os.environ.get("CREAMERY_RECORD") == "1" and os.environ.get("CREAMERY_EVENTS_PATH"):
        _record()
except Exception as error:
    sys.stderr.write("creamery: cannot observe this process: %s\n" % (error,))
_chain()
