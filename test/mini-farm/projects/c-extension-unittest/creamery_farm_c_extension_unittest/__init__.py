from creamery_farm_c_extension_unittest._fast import twice

__all__ = ["twice"]
