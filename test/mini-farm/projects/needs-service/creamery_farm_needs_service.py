"""Talks to a database."""

import socket


def connect(host="127.0.0.1", port=5432):
    try:
        return socket.create_connection((host, port), timeout=5)
    except OSError as error:
        raise RuntimeError('connection to server at "%s", port %d failed: %s' % (host, port, error)) from None
