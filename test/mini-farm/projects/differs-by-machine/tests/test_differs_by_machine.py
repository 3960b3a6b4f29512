import unittest

from creamery_farm_differs_by_machine import usage


class Faults(unittest.TestCase):
    def test_time_is_counted(self):
        self.assertGreaterEqual(usage().ru_utime + usage().ru_stime, 0)

    def test_page_faults_are_counted(self):
        self.assertGreater(usage().ru_minflt, 0)
