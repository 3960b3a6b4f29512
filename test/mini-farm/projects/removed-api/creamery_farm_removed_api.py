import imp


def answer():
    return 42 if imp else 0
