import unittest

from creamery_farm_undeclared_at_hand import answer


class Works(unittest.TestCase):
    def test_answer(self):
        self.assertEqual(answer(), "hello you")
