from creamery_farm_fails_c_assertion._checked import root

__all__ = ["root"]
