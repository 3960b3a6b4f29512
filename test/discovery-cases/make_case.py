"""Makes a discovery case (listings and configuration texts) of an sdist and a wheel, without running anything of them.

usage: make_case.py SDIST WHEEL OUTPUT.json
"""

import ast
import json
import re
import sys
import tarfile
import zipfile

CONFIG = re.compile(
    r"(^|/)(pyproject\.toml|setup\.cfg|setup\.py|tox\.ini|tox\.toml|\.?pytest\.(ini|toml)|noxfile\.py|hatch\.toml|[Mm]akefile|[Jj]ustfile|manage\.py|MANIFEST\.in)$"
)
REQUIREMENTS = re.compile(r"(^|/)[\w.-]*(req|test|dev|deps)[\w.-]*\.(txt|in|pip)$|(^|/)requirements/[\w.-]+\.(txt|in)$")
TESTS = re.compile(r"(^|/)_?(tests?|testing)/|(^|/)(test[^/]*|[^/]*_tests?|conftest)\.py$")
# A case is kept small: what no rung reads is left out, and the texts are cut.
MAX_TEXT = 24 * 1024
ADDRESS = re.compile(r"(https?://)[^\s\"'/)>\]#]+")
METADATA = re.compile(r"(?m)^(?:Name|Version|Requires-Python|Requires-Dist|Provides-Extra):.*$")


def neutral(data):
    """Text without anybody's addresses: no rung reads them."""
    return ADDRESS.sub(r"\1host.example", data.decode("utf-8", "replace"))


def facts(path, data):
    entry = {"path": path, "sizeBytes": len(data), "testFunctions": 0}
    if not path.endswith(".py"):
        return entry
    text = data.decode("utf-8", "replace")
    entry["testFunctions"] = len(re.findall(r"(?m)^\s*(?:async\s+)?def test", text))
    if TESTS.search(path):
        names = set()
        try:
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Import):
                    names.update(alias.name.split(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    names.add(node.module.split(".")[0])
        except (SyntaxError, ValueError):
            pass
        entry["imports"] = sorted(names)
        if re.search(r"\bTestCase\b|\bunittest\b|DocTestSuite", text):
            entry["usesUnittest"] = True
        if re.search(r"\bpytest\b", text):
            entry["usesPytest"] = True
    return entry


def case(sdist, wheel):
    files, texts = [], {}
    with tarfile.open(sdist) as archive:
        for member in archive:
            if not member.isfile() or "/" not in member.name:
                continue
            path = member.name.split("/", 1)[1]
            data = archive.extractfile(member).read()
            files.append(facts(path, data))
            if path.count("/") <= 1 and (CONFIG.search(path) or REQUIREMENTS.search(path)):
                texts[path] = neutral(data)[:MAX_TEXT]
    installed, metadata, entry_points, top = [], "", "", set()
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            path = info.filename
            if path.endswith("/"):
                continue
            data = archive.read(info)
            if path.endswith(".dist-info/METADATA"):
                metadata = "\n".join(METADATA.findall(neutral(data).split("\n\n")[0])) + "\n"
            elif path.endswith(".dist-info/entry_points.txt"):
                entry_points = data.decode("utf-8", "replace")
            if ".dist-info/" not in path and ".data/" not in path:
                installed.append(facts(path, data))
                if path.endswith((".py", ".so")):
                    top.add(path.split("/")[0].split(".")[0])
    # Many data files say nothing more than a few.
    quiet = [one for one in files if not one["path"].endswith((".py", ".toml", ".ini", ".cfg", ".txt", ".in"))]
    dropped = {one["path"] for one in quiet[60:]}
    return {
        "tree": {
            "files": sorted((one for one in files if one["path"] not in dropped), key=lambda one: one["path"]),
            "texts": texts,
            "truncated": False,
        },
        "installed": {
            "sitePackages": "/job/venv/lib/python3.11/site-packages",
            "files": sorted(installed, key=lambda one: one["path"]),
            "topLevel": sorted(top),
            "metadata": metadata,
            "entryPoints": entry_points,
        },
    }


if __name__ == "__main__":
    with open(sys.argv[3], "w", encoding="utf-8") as output:
        json.dump(case(sys.argv[1], sys.argv[2]), output, separators=(",", ":"), sort_keys=True)
        output.write("\n")
