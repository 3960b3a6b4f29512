import unittest

import creamery_farm_removed_api


class Works(unittest.TestCase):
    def test_answer(self):
        self.assertEqual(creamery_farm_removed_api.answer(), 42)
