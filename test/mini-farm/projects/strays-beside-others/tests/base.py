class Base(object):
    pass
