"""Counts graphics processors."""

import ctypes


def count():
    return ctypes.CDLL("libcuda.so.1").cuInit(0)
