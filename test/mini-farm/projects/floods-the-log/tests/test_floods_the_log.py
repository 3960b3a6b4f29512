import unittest


class FloodsTheLog(unittest.TestCase):
    def test_a_before(self):
        self.assertTrue(True)

    def test_b_floods(self):
        while True:
            print("and on and on " * 100)
