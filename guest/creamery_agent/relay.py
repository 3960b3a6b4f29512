"""The process that serves 127.0.0.1 in the guest: TCP 8099 is carried to the host's index socket, UDP 53 says NXDOMAIN."""

import os
import select

import _socket

from . import settings
from .names import MAX_NAME

BUFFER = 1 << 18
# More than these at once wait in the listener's backlog.
MAX_PAIRS = 256


class Pipe:
    """One direction of a connection: at most one buffer in flight, the end of one side passed on to the other."""

    def __init__(self, source, sink):
        self.source, self.sink = source, sink
        self.pending = b""
        self.ended = False

    def move(self):
        """Moves what can be moved now; raises OSError when the connection is dead."""
        while True:
            if self.pending:
                try:
                    sent = self.sink.send(self.pending)
                except BlockingIOError:
                    return
                self.pending = self.pending[sent:]
                continue
            if self.ended:
                return
            try:
                chunk = self.source.recv(BUFFER)
            except BlockingIOError:
                return
            if chunk:
                self.pending = memoryview(chunk)
            else:
                self.ended = True
                self.sink.shutdown(_socket.SHUT_WR)


def dial():
    """The socket to the index: connected, or (TCP) about to be, so that no other connection waits for this one."""
    if not settings.INDEX_TCP:
        outer = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        address = settings.INDEX_SOCKET
    else:
        host, _, port = settings.INDEX_TCP.rpartition(":")
        outer = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        outer.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        outer.setblocking(False)
        address = (host, int(port))
    try:
        outer.connect(address)
    except BlockingIOError:
        # Under way: it is told by the first edge.
        pass
    except OSError:
        outer.close()
        raise
    return outer


class Relay:
    def __init__(self, listener, resolver, report):
        self.listener, self.resolver, self.report = listener, resolver, report
        self.poll = select.epoll()
        self.pairs = {}
        self.accepting = False
        self.listen(True)
        if resolver is not None:
            self.poll.register(resolver.fileno(), select.EPOLLIN)
        # No event is asked for: an error comes when the agent, which holds the other end, is gone.
        self.poll.register(report, 0)

    def listen(self, wanted):
        if wanted != self.accepting:
            self.accepting = wanted
            if wanted:
                self.poll.register(self.listener.fileno(), select.EPOLLIN)
            else:
                self.poll.unregister(self.listener.fileno())

    def run(self):
        while True:
            for fd, events in self.poll.poll():
                if fd == self.listener.fileno():
                    self.accept()
                elif self.resolver is not None and fd == self.resolver.fileno():
                    self.answer()
                elif fd in self.pairs:
                    self.turn(fd, events)
                elif fd == self.report:
                    return

    def accept(self):
        try:
            fd, _ = self.listener._accept()
        except OSError:
            return
        inner = _socket.socket(fileno=fd)
        try:
            outer = dial()
        except OSError:
            inner.close()
            return
        inner.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        pipes = (Pipe(inner, outer), Pipe(outer, inner))
        for sock in (inner, outer):
            sock.setblocking(False)
            self.pairs[sock.fileno()] = (inner, outer, pipes)
            # Edge-triggered: each edge moves all that can be moved, so no side is asked about again and again.
            self.poll.register(sock.fileno(), select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)
        self.listen(len(self.pairs) < 2 * MAX_PAIRS)

    def turn(self, fd, events):
        inner, outer, pipes = self.pairs[fd]
        try:
            for pipe in pipes:
                pipe.move()
            over = all(pipe.ended and not pipe.pending for pipe in pipes) or events & select.EPOLLERR
        except OSError:
            over = True
        if over:
            for sock in (inner, outer):
                del self.pairs[sock.fileno()]
                self.poll.unregister(sock.fileno())
                sock.close()
            self.listen(True)

    def answer(self):
        """NXDOMAIN to every question (RFC 1035); the name asked for is told to the agent."""
        try:
            query, peer = self.resolver.recvfrom(512)
        except OSError:
            return
        name, end = question(query)
        if name is None:
            return
        try:
            os.write(self.report, name.encode("ascii", "replace") + b"\n")
        except OSError:
            pass
        # Response, recursion available, code 3; the question repeated, no records.
        reply = query[:2] + b"\x81\x83" + b"\x00\x01" + bytes(6) + query[12:end]
        try:
            self.resolver.sendto(reply, peer)
        except OSError:
            pass


def question(query):
    """(name, where the question ends); (None, 0) for what is no plain question."""
    labels = []
    at = 12
    while at < len(query):
        size = query[at]
        if size == 0:
            name = ".".join(labels)[:MAX_NAME]
            return (name, at + 5) if name and at + 5 <= len(query) else (None, 0)
        if size > 63 or at + 1 + size > len(query):
            return None, 0
        label = query[at + 1 : at + 1 + size].decode("latin-1")
        labels.append("".join(c if 32 < ord(c) < 127 else "?" for c in label))
        at += 1 + size
    return None, 0


def run(listener, resolver, report):
    import _signal as signal

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    keep = {listener.fileno(), report} | ({resolver.fileno()} if resolver is not None else set())
    for fd in range(3, max(keep | {64}) + 64):
        if fd not in keep:
            try:
                os.close(fd)
            except OSError:
                pass
    Relay(listener, resolver, report).run()
