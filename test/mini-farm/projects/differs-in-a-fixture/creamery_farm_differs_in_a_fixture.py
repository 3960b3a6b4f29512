import resource


def usage():
    return resource.getrusage(resource.RUSAGE_SELF)
