import creamery_farm_tox_deps
from creamery_farm_helper import greet


def test_greets():
    assert greet(creamery_farm_tox_deps.PURPOSE) == "hello creamery_farm_tox_deps"
