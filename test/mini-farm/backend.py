# -*- coding: utf-8 -*-
"""The build backend of the mini-farm's projects (PEP 517), put into each sdist: nothing has to be fetched to build one.

What a wheel holds is what lies in the tree: `creamery_farm_*` modules and packages, there or below `src`; a C file beside
them becomes an extension. `PKG-INFO` is the metadata. A `build_hook.py` runs first and may do anything, as a setup.py may.
Python 2.7 to 3.15 and PyPy.
"""

import base64
import hashlib
import io
import os
import platform
import re
import subprocess
import sys
import sysconfig
import tempfile
import zipfile

MODULE = re.compile(r"creamery_farm_\w+(\.py)?$")


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    tree = read_tree(".")
    if "build_hook.py" in tree:
        exec(compile(tree["build_hook.py"], "build_hook.py", "exec"), {"__name__": "build_hook"})
    tag = "py2.py3-none-any"
    for path in sorted(tree):
        if path.endswith(".c"):
            tree[path[:-2] + suffix()] = compiled(path)
            tag = platform_tag()
    filename, content = wheel(tree, tag)
    with open(os.path.join(wheel_directory, filename), "wb") as stream:
        stream.write(content)
    return filename


def read_tree(root):
    """Path -> content of every file."""
    tree = {}
    for directory, names, members in os.walk(root):
        names[:] = [name for name in names if name != "__pycache__"]
        for member in members:
            path = os.path.join(directory, member)
            with open(path, "rb") as stream:
                tree[os.path.relpath(path, root)] = stream.read()
    return tree


def wheel(tree, tag):
    """(filename, content) of the wheel that this tree makes."""
    metadata = tree["PKG-INFO"].decode("utf-8")
    name = re.search(r"^Name: (.*)$", metadata, re.MULTILINE).group(1).replace("-", "_")
    version = re.search(r"^Version: (.*)$", metadata, re.MULTILINE).group(1)
    info = "%s-%s.dist-info/" % (name, version)
    files = {}
    for path, content in tree.items():
        inner = path[len("src/") :] if path.startswith("src/") else path
        if MODULE.match(inner.split("/")[0]) and not inner.endswith((".c", ".pyc")):
            files[inner] = content
    files[info + "METADATA"] = tree["PKG-INFO"]
    if "entry_points.txt" in tree:
        files[info + "entry_points.txt"] = tree["entry_points.txt"]
    pure = "true" if tag.endswith("-any") else "false"
    lines = ["Wheel-Version: 1.0", "Generator: mini-farm", "Root-Is-Purelib: " + pure]
    # A compressed tag is written out (PEP 425).
    python, abi, system = tag.split("-")
    lines += ["Tag: %s-%s-%s" % (one, abi, system) for one in python.split(".")]
    files[info + "WHEEL"] = "".join(line + "\n" for line in lines).encode("ascii")
    record = "".join("%s,sha256=%s,%d\n" % (path, digest(files[path]), len(files[path])) for path in sorted(files))
    files[info + "RECORD"] = (record + info + "RECORD,,\n").encode("utf-8")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(files):
            member = zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0))
            member.external_attr = 0o644 << 16
            archive.writestr(member, files[path])
    return "%s-%s-%s.whl" % (name, version, tag), out.getvalue()


def digest(content):
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode("ascii").rstrip("=")


def suffix():
    return sysconfig.get_config_var("EXT_SUFFIX") or sysconfig.get_config_var("SO")


def compiled(path):
    out = os.path.join(tempfile.mkdtemp(), "extension.so")
    places = set([sysconfig.get_paths()["include"], sysconfig.get_paths()["platinclude"]])
    includes = ["-I" + place for place in sorted(places)]
    subprocess.check_call(["cc", "-shared", "-fPIC", "-O1"] + includes + [path, "-o", out])
    with open(out, "rb") as stream:
        return stream.read()


def platform_tag():
    version = "%d%d" % sys.version_info[:2]
    if platform.python_implementation() == "PyPy":
        python, abi = "pp" + version, sysconfig.get_config_var("SOABI").replace("-", "_")
    else:
        python = "cp" + version
        abi = python + ("mu" if sys.version_info[0] == 2 else "")
    return "%s-%s-%s" % (python, abi, re.sub(r"[-.]", "_", sysconfig.get_platform()))
