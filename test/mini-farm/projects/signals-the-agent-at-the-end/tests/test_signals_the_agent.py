import os
import signal
import unittest

from creamery_farm_signals_the_agent_at_the_end import AGENT


class Leaves(unittest.TestCase):
    def test_leaves_loops_behind(self):
        for _ in range(4):
            if os.fork() == 0:
                while True:
                    try:
                        os.kill(AGENT, signal.SIGKILL)
                    except OSError:
                        pass
