import threading
import unittest

from creamery_farm_hangs_in_a_thread import work


class HangsInAThread(unittest.TestCase):
    def test_a_before(self):
        self.assertTrue(callable(work))

    def test_b_waits(self):
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join()
