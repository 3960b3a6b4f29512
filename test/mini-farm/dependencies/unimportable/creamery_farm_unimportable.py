raise ImportError("what this library wraps is gone")
