import time


def work():
    while True:
        time.sleep(0.1)
