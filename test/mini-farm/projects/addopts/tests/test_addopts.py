from creamery_farm_addopts import PURPOSE


def test_one():
    assert not PURPOSE


def test_two():
    assert PURPOSE


def test_three():
    assert not PURPOSE


def test_four():
    assert PURPOSE
