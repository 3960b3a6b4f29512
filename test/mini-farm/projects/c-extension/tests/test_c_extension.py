from creamery_farm_c_extension import _fast, twice


def test_twice():
    assert twice(21) == 42


def test_is_installed():
    assert "site-packages" in _fast.__file__
