import unittest

import creamery_farm_built_from_sdist


class Built(unittest.TestCase):
    def test_state(self):
        self.assertEqual(creamery_farm_built_from_sdist.STATE, "built here")
