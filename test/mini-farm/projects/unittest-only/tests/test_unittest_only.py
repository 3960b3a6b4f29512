import unittest

from creamery_farm_unittest_only import shout


class Shouting(unittest.TestCase):
    def test_word(self):
        self.assertEqual(shout("word"), "WORD")

    def test_nothing(self):
        self.assertEqual(shout(""), "")

    @unittest.skip("not today")
    def test_skipped(self):
        self.fail()

    @unittest.expectedFailure
    def test_expected_failure(self):
        self.assertEqual(shout("word"), "word")
