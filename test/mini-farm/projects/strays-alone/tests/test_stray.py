from .base import Base


def test_it():
    assert Base
