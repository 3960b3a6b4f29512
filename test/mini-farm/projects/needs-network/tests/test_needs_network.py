import unittest

import creamery_farm_needs_network


class Needs(unittest.TestCase):
    def test_a_before(self):
        self.assertTrue(creamery_farm_needs_network.__doc__)

    def test_b_uses_it(self):
        creamery_farm_needs_network.ask()
