import pytest

from creamery_farm_passes import twice


@pytest.mark.parametrize("number", [0, 1, 21])
def test_twice(number):
    assert twice(number) == number + number


def test_text():
    assert twice("ab") == "abab"


@pytest.mark.skip(reason="not today")
def test_skipped():
    raise AssertionError


@pytest.mark.xfail(strict=True)
def test_expected_failure():
    assert twice(1) == 3
