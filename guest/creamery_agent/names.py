"""The guest's own resolver, which knows no name and remembers who asked for what, and the relay from TCP to the index.

Both live in one process beside the agent: whatever package code does to them, the agent's loop goes on.
"""

import os
import select

import _socket

from . import settings

MAX_NAMES = 1000
MAX_NAME = 255


class Names:
    """The agent's side: holds the listening sockets, starts (and restarts) the process, counts names."""

    def __init__(self):
        self.counts = {}
        self.pid = None
        self.buffer = b""
        self.respawns = 0

    def start(self, loop):
        self.index = listen_tcp(settings.INDEX_PORT)
        self.resolver = listen_udp(53) if settings.IN_GUEST else None
        if self.resolver is not None:
            point_resolver_here()
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        os.set_blocking(self.write_end, False)
        loop.watch(self.read_end, select.POLLIN, lambda _: self.collect())
        self.spawn()

    def spawn(self):
        self.pid = os.fork()
        if self.pid == 0:
            try:
                from .relay import run

                run(self.index, self.resolver, self.write_end)
            finally:
                os._exit(1)

    def respawn(self):
        self.respawns += 1
        self.pid = None
        if self.respawns < 100:
            self.spawn()

    def collect(self):
        while True:
            try:
                chunk = os.read(self.read_end, 65536)
            except BlockingIOError:
                return
            *lines, self.buffer = (self.buffer + chunk).split(b"\n")
            for line in lines:
                name = line.decode("ascii", "replace")
                if name in self.counts or len(self.counts) < MAX_NAMES:
                    self.counts[name] = self.counts.get(name, 0) + 1

    def as_list(self):
        return [{"target": name, "kind": "dns", "count": count} for name, count in sorted(self.counts.items())]


def listen_tcp(port):
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(128)
    sock.setblocking(False)
    return sock


def listen_udp(port):
    """None where this guest's root may not have low ports: names then fail to resolve without a record."""
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        return None
    sock.setblocking(False)
    return sock


def point_resolver_here():
    try:
        # A link there would lead out of /etc: replace it.
        if os.path.islink("/etc/resolv.conf"):
            os.unlink("/etc/resolv.conf")
        with open("/etc/resolv.conf", "w") as stream:
            stream.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    except OSError:
        pass
