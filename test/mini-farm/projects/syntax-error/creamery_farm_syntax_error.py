def answer():
    print "thinking"
    return 42
