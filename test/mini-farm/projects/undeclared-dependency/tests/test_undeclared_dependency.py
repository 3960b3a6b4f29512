import unittest

import creamery_farm_undeclared_dependency


class Works(unittest.TestCase):
    def test_answer(self):
        self.assertEqual(creamery_farm_undeclared_dependency.answer(), 42)
