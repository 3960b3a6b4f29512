import creamery_farm_undeclared


def answer():
    return 42 if creamery_farm_undeclared else 0
