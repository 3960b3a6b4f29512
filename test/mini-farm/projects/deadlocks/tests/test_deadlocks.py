import threading
import unittest

from creamery_farm_deadlocks import Peer


class Deadlocks(unittest.TestCase):
    def test_a_before(self):
        self.assertTrue(Peer().inbox.empty())

    def test_b_each_waits_for_the_other(self):
        left, right = Peer(), Peer()
        threads = [
            threading.Thread(target=left.ask, args=(right,), daemon=True),
            threading.Thread(target=right.ask, args=(left,), daemon=True),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
