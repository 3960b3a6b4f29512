import unittest

from creamery_farm_fails_c_assertion import root


class Root(unittest.TestCase):
    def test_nine(self):
        self.assertEqual(root(9), 3)

    def test_of_what_has_none(self):
        with self.assertRaises(ValueError):
            root(-1)
