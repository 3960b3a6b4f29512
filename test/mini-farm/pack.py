"""Packs the mini-farm's projects as they would be published: reads a list of them as JSON, writes their files as JSON.

Deterministic, and by Python's own tarfile and zipfile: nothing of the farm's judges its own formats.
"""

import base64
import gzip
import io
import json
import os
import sys
import tarfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import backend  # noqa: E402

BUILD_SYSTEM = b"""[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
# 2026-01-01T00:00:00Z
EPOCH = 1767225600


def metadata(project, version):
    lines = ["Metadata-Version: 2.1", "Name: " + project["name"], "Version: " + version, "Summary: " + project["summary"]]
    if project["requiresPython"] is not None:
        lines.append("Requires-Python: " + project["requiresPython"])
    lines += ["Requires-Dist: " + one for one in project["requires"]]
    lines += ["Provides-Extra: " + one for one in project.get("extras", [])]
    lines += ["Project-URL: " + one for one in project.get("urls", [])]
    return "".join(line + "\n" for line in lines).encode("utf-8")


def source(project, version):
    """What the sdist holds, but for what is left out of it."""
    tree = backend.read_tree(project["directory"])
    for path in [path for path in tree if path == "farm.toml" or path.startswith("wheel/")]:
        del tree[path]
    tree.update((path, text.encode("utf-8")) for path, text in project["extraFiles"].items())
    tree.setdefault("pyproject.toml", BUILD_SYSTEM)
    with open(os.path.join(HERE, "backend.py"), "rb") as stream:
        tree["backend.py"] = stream.read()
    tree["PKG-INFO"] = metadata(project, version)
    return tree


def sdist(project, version, tree):
    stem = "%s-%s" % (project["name"].replace("-", "_"), version)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(tree):
            if any(path == left or path.startswith(left + "/") for left in project["sdistWithout"]):
                continue
            member = tarfile.TarInfo(stem + "/" + path)
            member.size, member.mtime = len(tree[path]), EPOCH
            archive.addfile(member, io.BytesIO(tree[path]))
    return stem + ".tar.gz", gzip.compress(plain.getvalue(), mtime=0)


def wheel(project, tree):
    # Files below `wheel` are in the published wheel alone, or in another form than in the tree.
    below = os.path.join(project["directory"], "wheel")
    return backend.wheel({**tree, **backend.read_tree(below)}, project["wheelTag"])


def packed(project):
    for version in project["versions"]:
        tree = source(project, version)
        if "sdist" in project["publish"]:
            yield sdist(project, version, tree)
        if "wheel" in project["publish"]:
            yield wheel(project, tree)


files = [
    {"project": project["name"], "filename": filename, "content": base64.b64encode(content).decode("ascii")}
    for project in json.load(sys.stdin)
    for filename, content in packed(project)
]
json.dump(files, sys.stdout)
