def twice(number):
    return 2 * number


def main():
    print("usage: creamery-farm-passes [--help]")
