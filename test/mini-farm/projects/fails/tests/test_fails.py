from creamery_farm_fails import half


def test_even():
    assert half(4) == 2


def test_rounds_up():
    assert half(5) == 3


def test_zero():
    assert half(0) == 0
