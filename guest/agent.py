"""The guest's PID 1: says hello to the host at once, and only then loads what serves it (docs/channel.md).

Run as `python3.13 -I -S -B agent.py`. Standard library only; nothing of a package is ever imported here.
Under gVisor each import costs milliseconds, so the hello needs only built-in modules.
"""

import sys

import _socket
import posix

PROTOCOL = 1
AGENT_VERSION = "1.1.0"
SOCKET_PATH = "/run/creamery/agent.sock"


def connect(path):
    """Connects to the host and sends the hello frame; the nonce proves that it was this guest's init."""
    channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    channel.connect(path)
    nonce = posix.environ.get(b"CREAMERY_NONCE", b"").decode("ascii", "replace")
    # The nonce is hexadecimal: no JSON module is needed to quote it.
    channel.sendall(hello("".join(c for c in nonce if c in "0123456789abcdef")))
    return channel


def hello(nonce):
    """The frame that an agent speaks first."""
    payload = ('{"op":"hello","protocol":%d,"agent":"%s","nonce":"%s"}' % (PROTOCOL, AGENT_VERSION, nonce)).encode("ascii")
    return len(payload).to_bytes(4, "big") + b"\x01" + bytes(4) + payload


def main():
    path = posix.environ.get(b"CREAMERY_AGENT_SOCKET", b"").decode() or SOCKET_PATH
    channel = connect(path)
    sys.path.insert(0, __file__.rpartition("/")[0] or ".")
    from creamery_agent.serve import serve

    serve(channel)


if __name__ == "__main__":
    main()
