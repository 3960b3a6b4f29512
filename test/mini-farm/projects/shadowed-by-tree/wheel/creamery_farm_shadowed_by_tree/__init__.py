from creamery_farm_shadowed_by_tree._built import STATE

__all__ = ["STATE"]
