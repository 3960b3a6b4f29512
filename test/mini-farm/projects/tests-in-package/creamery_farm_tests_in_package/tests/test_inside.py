import unittest

from creamery_farm_tests_in_package import answer


class Inside(unittest.TestCase):
    def test_answer(self):
        self.assertEqual(answer(), 42)

    def test_type(self):
        self.assertIsInstance(answer(), int)
