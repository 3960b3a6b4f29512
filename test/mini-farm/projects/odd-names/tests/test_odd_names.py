import pytest

from creamery_farm_odd_names import is_printable


@pytest.mark.parametrize("text", ["plain", "größe-日本語", "\x1b[31mred", "\u202egnp.exe", "two\nlines"])
def test_is_printable(text):
    print("\x1b]0;owned\x07" + text)
    assert is_printable(text)


def test_größe():
    assert is_printable("größe")
