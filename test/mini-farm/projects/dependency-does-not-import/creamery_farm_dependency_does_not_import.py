import creamery_farm_unimportable


def answer():
    return 42 if creamery_farm_unimportable else 0
