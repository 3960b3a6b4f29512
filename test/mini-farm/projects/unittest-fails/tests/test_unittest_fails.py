import unittest

from creamery_farm_unittest_fails import half


class Halving(unittest.TestCase):
    def test_even(self):
        self.assertEqual(half(4), 2)

    def test_rounds_up(self):
        self.assertEqual(half(5), 3)

    def test_breaks(self):
        half("five")

    def test_each(self):
        for number in (2, 3):
            with self.subTest(number=number):
                self.assertEqual(2 * half(number), number)
