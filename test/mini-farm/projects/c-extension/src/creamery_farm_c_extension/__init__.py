from creamery_farm_c_extension._fast import twice

__all__ = ["twice"]
