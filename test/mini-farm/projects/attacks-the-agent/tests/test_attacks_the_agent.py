import ctypes
import os
import signal
import socket
import unittest

from creamery_farm_attacks_the_agent import AGENT

PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206


class Attacks(unittest.TestCase):
    def test_signals(self):
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, 0):
            self.assertRaises(OSError, os.kill, AGENT, number)

    def test_traces(self):
        libc = ctypes.CDLL(None, use_errno=True)
        for request in (PTRACE_ATTACH, PTRACE_SEIZE):
            self.assertEqual(libc.ptrace(request, AGENT, 0, 0), -1)

    def test_reads_its_memory(self):
        self.assertRaises(OSError, open, "/proc/%d/mem" % AGENT, "rb")

    def test_reaches_its_channel(self):
        for name in ("agent.sock", "index.sock"):
            with socket.socket(socket.AF_UNIX) as client:
                self.assertRaises(OSError, client.connect, "/run/creamery/" + name)

    def test_writes_where_it_lies(self):
        self.assertRaises(OSError, open, "/opt/creamery/guest/agent.py", "a")

    def test_becomes_root(self):
        self.assertRaises(OSError, os.setuid, 0)
