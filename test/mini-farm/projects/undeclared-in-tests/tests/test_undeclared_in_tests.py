import creamery_farm_undeclared_in_tests
from creamery_farm_helper import greet


def test_greets():
    assert greet(creamery_farm_undeclared_in_tests.PURPOSE) == "hello creamery_farm_undeclared_in_tests"
