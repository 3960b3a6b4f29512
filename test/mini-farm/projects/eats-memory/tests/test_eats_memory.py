import unittest


class EatsMemory(unittest.TestCase):
    def test_a_before(self):
        self.assertTrue(True)

    def test_b_eats(self):
        held = []
        while True:
            held.append(bytearray(b"x" * 10_000_000))
