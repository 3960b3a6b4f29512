from creamery_farm_helper import greet


def answer():
    return greet("you")
