import os
import unittest


class ForksForEver(unittest.TestCase):
    def test_a_before(self):
        self.assertTrue(True)

    def test_b_forks(self):
        while True:
            os.fork()
