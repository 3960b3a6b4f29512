import unittest

from creamery_farm_c_extension_unittest import _fast, twice


class Extension(unittest.TestCase):
    def test_twice(self):
        self.assertEqual(twice(21), 42)

    def test_is_compiled(self):
        self.assertTrue(_fast.__file__.endswith(".so"))
