PURPOSE = __name__
