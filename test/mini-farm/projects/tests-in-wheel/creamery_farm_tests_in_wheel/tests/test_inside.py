from creamery_farm_tests_in_wheel import answer


def test_answer():
    assert answer() == 42


def test_is_installed():
    assert "site-packages" in __file__
