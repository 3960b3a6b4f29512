import unittest

import creamery_farm_import_error


class Works(unittest.TestCase):
    def test_answer(self):
        self.assertEqual(creamery_farm_import_error.answer(), 42)
