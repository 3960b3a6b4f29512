raise ValueError("these tests are not ready")


def test_never():
    assert True
