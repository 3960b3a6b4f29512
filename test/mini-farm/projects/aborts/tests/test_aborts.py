import unittest

import creamery_farm_aborts


class Crash(unittest.TestCase):
    def test_a_before(self):
        self.assertTrue(callable(creamery_farm_aborts.crash))

    def test_b_crash(self):
        creamery_farm_aborts.crash()

    def test_c_after(self):
        self.fail("nothing comes after a crash")
