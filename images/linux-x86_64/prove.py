"""Proves one interpreter of a new image, run by that interpreter itself as the job's user; 2.7 to 3.15 and PyPy.

Arguments: `uv` or `virtualenv`, then modules that this build lacks: each must fail to import, and all else that is checked must
not. Prints its full version as the last line.
"""
from __future__ import print_function

import importlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile

SOURCE = """
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *ignored) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
#if PY_MAJOR_VERSION >= 3
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "proof", "", -1, methods};
PyMODINIT_FUNC PyInit_proof(void) { return PyModule_Create(&module); }
#else
PyMODINIT_FUNC initproof(void) { Py_InitModule("proof", methods); }
#endif
"""


# What a build of Python has or lacks by what was there when it was built.
CHECKED = ["ssl", "hashlib", "sqlite3", "ctypes", "zlib", "bz2", "readline", "curses", "uuid", "multiprocessing"]
CHECKED_2 = ["Tkinter", "gdbm", "dbm"]
CHECKED_3 = ["lzma", "tkinter", "_gdbm", "_dbm"]


def main():
    maker, lacks = sys.argv[1], sys.argv[2:]
    for name in CHECKED + (CHECKED_2 if sys.version_info[0] == 2 else CHECKED_3):
        if name not in lacks:
            importlib.import_module(name)
    for name in lacks:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        sys.exit("%s is said to be lacking, and can be imported" % name)
    place = tempfile.mkdtemp()
    try:
        environment = os.path.join(place, "venv")
        if maker == "uv":
            command = ["uv", "venv", "--quiet", "--offline", "--no-config", "--cache-dir", os.path.join(place, "cache"), "--python", sys.executable, environment]
        else:
            command = ["creamery-virtualenv", "--quiet", "--no-download", "--no-periodic-update", "--app-data", os.path.join(place, "data"), "--python", sys.executable, environment]
        subprocess.check_call(command)
        python = os.path.join(environment, "bin", "python")
        source = os.path.join(place, "proof.c")
        with open(source, "w") as stream:
            stream.write(SOURCE)
        suffix = sysconfig.get_config_var("EXT_SUFFIX") or sysconfig.get_config_var("SO")
        target = os.path.join(place, "proof" + suffix)
        # Debian's 2.7 names /usr/local first in its paths, where its headers are not.
        headers = [sysconfig.get_config_var("INCLUDEPY"), sysconfig.get_paths()["include"], sysconfig.get_paths()["platinclude"]]
        includes = [argument for path in headers if path for argument in ("-I", path)]
        subprocess.check_call(["gcc", "-shared", "-fPIC"] + includes + [source, "-o", target])
        subprocess.check_call([python, "-c", "import sys; sys.path.insert(0, sys.argv[1]); import proof; assert proof.answer() == 42", place])
    finally:
        shutil.rmtree(place)
    print(platform.python_version())


main()
