from creamery_farm_import_error.missing import answer

__all__ = ["answer"]
