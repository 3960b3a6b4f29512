def is_printable(text):
    return text.isprintable()
