"""Beside a virtual machine, on the host: carries its connections to the attempt's index, which listens on a Unix socket.

QEMU's user network shows the machine the loopback of the network namespace that both are in; this is all that listens there.
Started as root in that namespace, with the user and the group to become: `index_relay.py UID GID`.
"""

import fcntl
import os
import struct
import sys

import _socket

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ["CREAMERY_INDEX_SOCKET"] = "/sockets/index.sock"

from creamery_agent import names, settings  # noqa: E402
from creamery_agent.relay import Relay  # noqa: E402

# linux/sockios.h, linux/if.h
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def main():
    uid, gid = int(sys.argv[1]), int(sys.argv[2])
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))
    sock.close()
    listener = names.listen_tcp(settings.INDEX_PORT)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    # It ends with the namespace, so nobody need be at the other end.
    _, report = os.pipe()
    Relay(listener, None, report).run()


if __name__ == "__main__":
    main()
