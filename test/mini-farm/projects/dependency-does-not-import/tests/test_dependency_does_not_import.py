import unittest

import creamery_farm_dependency_does_not_import


class Works(unittest.TestCase):
    def test_answer(self):
        self.assertEqual(creamery_farm_dependency_does_not_import.answer(), 42)
