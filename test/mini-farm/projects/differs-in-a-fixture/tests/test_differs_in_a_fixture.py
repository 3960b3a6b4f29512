import unittest

from creamery_farm_differs_in_a_fixture import usage


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        assert usage().ru_minflt > 0

    def test_faults(self):
        self.assertGreater(usage().ru_minflt, 0)


class Time(unittest.TestCase):
    def test_time_is_counted(self):
        self.assertGreaterEqual(usage().ru_utime + usage().ru_stime, 0)
