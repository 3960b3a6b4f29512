"""The agent's loop: one poll over the host's socket, the pipes of what runs, and the ends of children."""

import os
import select
import time

import _signal as signal

from . import limits, names
from .channel import CONTENT, END, MESSAGE, Channel
from .execution import Execution
from .files import Receiver, open_regular, sender
from .jsontext import loads
from .walk import difference, walk


class Loop:
    def __init__(self):
        self.poll = select.poll()
        self.callbacks = {}

    def watch(self, fd, events, callback):
        # An end is told by poll whether asked for or not: what is paused is left out altogether.
        if events:
            self.poll.register(fd, events)
        elif fd in self.callbacks:
            self.poll.unregister(fd) if self.callbacks[fd][1] else None
        self.callbacks[fd] = (callback, events)

    def unwatch(self, fd):
        if self.callbacks.pop(fd)[1]:
            self.poll.unregister(fd)

    def turn(self, timeout_ms):
        for fd, events in self.poll.poll(timeout_ms):
            if fd in self.callbacks:
                self.callbacks[fd][0](events)


class Agent:
    def __init__(self, channel, disk=None):
        """`disk`: what is watched for the job, where nobody outside of the guest can."""
        self.loop = Loop()
        self.disk = disk
        self.channel = channel
        self.executions = {}
        self.receivers = {}
        self.senders = {}
        self.marks = {}
        self.names = names.Names()
        self.running = True
        self.sock_events = 0
        wake_read, wake_write = os.pipe()
        for fd in (wake_read, wake_write):
            os.set_blocking(fd, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self.loop.watch(wake_read, select.POLLIN, lambda _: os.read(wake_read, 4096))
        self.names.start(self.loop)

    def run(self):
        while self.running:
            self.channel.flush()
            self.balance()
            self.loop.turn(self.timeout_ms())
            if self.disk is not None:
                self.disk.tick()
            self.reap()
            for ident, execution in list(self.executions.items()):
                if execution.tick():
                    del self.executions[ident]
            for ident, sender in list(self.senders.items()):
                while not self.channel.full:
                    if not sender(ident):
                        del self.senders[ident]
                        break

    def balance(self):
        wanted = select.POLLIN | (select.POLLOUT if self.channel.outbox else 0)
        if wanted != self.sock_events:
            self.sock_events = wanted
            self.loop.watch(self.channel.sock.fileno(), wanted, self.socket_ready)
        for execution in self.executions.values():
            execution.pause(self.channel.full)

    def timeout_ms(self):
        if self.senders and not self.channel.full:
            return 0
        deadlines = [execution.deadline() for execution in self.executions.values()]
        if not deadlines:
            return 60_000
        if self.disk is not None:
            deadlines.append(self.disk.next)
        # Never less than a poll that lets the pipes be read; never so long that a lost wake-up would hang us.
        return max(1, min(60_000, int((min(deadlines) - time.monotonic()) * 1000) + 1))

    def socket_ready(self, events):
        if events & (select.POLLIN | select.POLLHUP | select.POLLERR):
            try:
                frames = self.channel.receive()
            except OSError:
                frames = None
            if frames is None:
                # The host is gone: so is the reason for this guest.
                self.running = False
                return
            for kind, ident, payload in frames:
                self.frame(kind, ident, payload)

    def frame(self, kind, ident, payload):
        if kind == MESSAGE:
            try:
                self.request(ident, loads(payload))
            except Exception as error:
                self.channel.message(ident, op="failed", reason=f"{type(error).__name__}: {error}"[:500])
        elif kind in (CONTENT, END) and ident in self.receivers:
            receiver = self.receivers[ident]
            try:
                if kind == CONTENT:
                    receiver.write(payload)
                    return
                receiver.close()
                self.channel.message(ident, op="done")
            except OSError as error:
                receiver.abandon()
                self.channel.message(ident, op="failed", reason=f"{error}"[:500])
            del self.receivers[ident]

    def request(self, ident, request):
        op = request["op"]
        if op == "exec":
            self.executions[ident] = Execution(self.loop, self.channel, ident, request)
        elif op == "kill":
            execution = self.executions.get(ident)
            if execution is not None:
                execution.kill()
        elif op == "put":
            self.receivers[ident] = Receiver(request["path"], request["mode"], request["owner"] == "job")
        elif op == "get":
            fd = open_regular(request["path"])
            if fd is None:
                self.channel.message(ident, op="done", exists=False)
            else:
                self.senders[ident] = sender(self.channel, fd, request["maxBytes"])
        elif op == "mark":
            everything = request.get("scope", "everything") == "everything"
            self.marks[request["name"]] = (everything, walk(everything))
            self.channel.message(ident, op="done")
        elif op == "difference":
            if request["name"] not in self.marks:
                raise KeyError("no such mark")
            everything, before = self.marks[request["name"]]
            self.channel.message(ident, op="difference", **difference(before, walk(everything)))
        elif op == "refused":
            self.names.collect()
            self.channel.message(ident, op="refused", connections=self.names.as_list())
        elif op == "disk":
            self.channel.message(ident, op="disk", filesystems=[filesystem(path) for path in request["paths"]])
        elif op == "counters":
            counted = limits.counters()
            if counted is None:
                raise LookupError("this guest's limits are the host's")
            self.channel.message(ident, op="counters", diskFull=self.disk is not None and self.disk.full, **counted)
        elif op == "stop":
            self.running = False
        else:
            self.channel.message(ident, op="failed", reason="unsupported")

    def reap(self):
        """As PID 1 every orphan is ours."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for execution in self.executions.values():
                if execution.pid == pid and execution.status is None:
                    execution.ended(status)
            if pid == self.names.pid:
                self.names.respawn()


def filesystem(path):
    """Bytes of a block, blocks, and those that are free; zeros for what isn't there."""
    try:
        state = os.statvfs(path)
    except OSError:
        return [0, 0, 0]
    return [state.f_frsize, state.f_blocks, state.f_bfree]


def serve(sock):
    agent = Agent(Channel(sock))
    agent.run()
    agent.channel.flush()
