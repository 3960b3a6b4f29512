import time
import unittest


class Hangs(unittest.TestCase):
    def test_a_before(self):
        self.assertTrue(True)

    def test_b_sleeps(self):
        while True:
            print("still here", flush=True)
            time.sleep(1)
