import pytest

from creamery_farm_test_error import PURPOSE


@pytest.fixture
def broken():
    raise RuntimeError("the fixture broke")


def test_does_without():
    assert PURPOSE


def test_uses_it(broken):
    assert PURPOSE
