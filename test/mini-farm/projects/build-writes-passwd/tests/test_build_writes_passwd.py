import unittest

from creamery_farm_build_writes_passwd import ACCOUNT


class Passwd(unittest.TestCase):
    def test_is_as_it_was(self):
        with open("/etc/passwd") as stream:
            self.assertNotIn(ACCOUNT, stream.read())
