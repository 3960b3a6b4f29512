# -*- coding: utf-8 -*-
"""`python -m creamery_unittest ARGUMENTS` is `python -m unittest ARGUMENTS` with events of the run sent to the host."""

import sys
import unittest

import creamery_results


def main():
    creamery_results.install()
    # The program's name appears in messages of suites that print it, and as unittest's own it is told apart by them.
    sys.argv[0] = "python -m unittest"
    unittest.main(module=None)


if __name__ == "__main__":
    main()
