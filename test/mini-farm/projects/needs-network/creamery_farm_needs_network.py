"""Asks a server."""

from urllib.request import urlopen


def ask():
    return urlopen("http://server.creamery-farm.example/", timeout=5).read()
