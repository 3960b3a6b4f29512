import unittest

from creamery_farm_runner_hides_failures import answer


class Answer(unittest.TestCase):
    def test_is_there(self):
        self.assertTrue(answer())

    def test_is_right(self):
        self.assertEqual(answer(), 42)
