import os
import tempfile
import unittest


class FillsTheDisk(unittest.TestCase):
    def test_a_before(self):
        self.assertTrue(True)

    def test_b_fills(self):
        with open(os.path.join(tempfile.gettempdir(), "big"), "wb", 0) as stream:
            while True:
                stream.write(b"x" * 1_000_000)
