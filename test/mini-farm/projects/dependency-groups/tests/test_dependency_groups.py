import creamery_farm_dependency_groups
from creamery_farm_helper import greet


def test_greets():
    assert greet(creamery_farm_dependency_groups.PURPOSE) == "hello creamery_farm_dependency_groups"
