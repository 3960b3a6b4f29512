"""Lists a source tree, or an installed distribution, for discovery on the host (src/discovery/plan.ts says the fields).

    python3.13 -I -B scan.py unpack --out FILE ARCHIVE DIRECTORY    {"root", "listing", "refused"}
    python3.13 -I -B scan.py unpack --out FILE ARCHIVE DIRECTORY --then CODE OUT VENV PROJECT
                                                                    and, once CODE holds how an installer ended, `installed`
    python3.13 -I -B scan.py tree --out FILE ROOT                   the listing
    python3.13 -I -B scan.py hashes --out FILE ROOT                 {path: hash} of its Python files, as git takes them
    python3.13 -I -B scan.py installed --out FILE VENV PROJECT [--then CODE]
                                                                    the installed listing, or null; once CODE says 0

Run as the job's user. Reads and unpacks, bounded; imports and runs nothing of what it looks at.
"""

import ast
import json
import os
import re
import stat
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from creamery_installed import await_code, find_metadata, read_text, record_paths, top_level_of  # noqa: E402

MAX_FILES = 20_000
# Of a path, its own name included: the host makes directories of each, all the way up.
MAX_DEPTH = 64
MAX_MEMBERS = 100_000
MAX_UNPACKED = 2 << 30
MAX_TEXT = 256 * 1024
MAX_TEXTS = 6 << 20
MAX_SOURCE = 1 << 20
MAX_SOURCES = 128 << 20
MAX_AST = 512 * 1024
MAX_IMPORTS = 200
MAX_REFUSED = 50
MAX_DISTRIBUTIONS = 1000
MAX_REQUIRES = 500
SKIPPED = {".git", ".hg", ".svn", "__pycache__", ".tox", ".nox", ".venv", "node_modules", ".mypy_cache", ".pytest_cache"}

TEST_FUNCTION = re.compile(rb"^[ \t]*(?:async[ \t]+)?def[ \t]+test", re.MULTILINE)
UNITTEST = re.compile(rb"\bunittest\b|\bTestCase\b|\bdoctest\.(?:DocTestSuite|DocFileSuite)")
PYTEST = re.compile(rb"\bpytest\b")
LOOKS_LIKE_TEST = re.compile(r"(^|/)(tests?|testing)(/|$)|(^|/)(test[^/]*|[^/]*_tests?|conftest)\.py$", re.IGNORECASE)
IMPORT = re.compile(r"^(?:from[ \t]+([A-Za-z_]\w*)[\w.]*[ \t]+import|import[ \t]+([A-Za-z_][\w., \t]*))", re.MULTILINE)

CONFIGURATION = re.compile(
    r"^("
    r"pyproject\.toml|setup\.cfg|setup\.py|tox\.ini|tox\.toml|\.?pytest\.(ini|toml)|noxfile\.py|Makefile|makefile|GNUmakefile|[Jj]ustfile|\.justfile"
    r"|PKG-INFO|METADATA|manage\.py|pixi\.toml|uv\.toml|hatch\.toml|Pipfile|environment\.ya?ml|runtests\.py|MANIFEST\.in|\.travis\.yml"
    r"|(?:[^/]*[-_.])?requirements[^/]*\.(txt|in)|[^/]*(?:test|dev)[^/]*requirements[^/]*\.(txt|in)"
    r")$"
)
IN_REQUIREMENTS = re.compile(r"(^|/)(requirements?|reqs|requires|tests?|ci|tools)/[^/]*\.(txt|in)$", re.IGNORECASE)
NESTED = re.compile(r"(^|/)(conftest\.py|pytest\.ini|pyproject\.toml|__main__\.py|alltests\.py|run_?(all_?)?tests\.py)$")
MAX_CONFIGURATION_DEPTH = 3


def wanted_text(path):
    depth = path.count("/")
    if depth == 0 and CONFIGURATION.match(path):
        return True
    return depth <= MAX_CONFIGURATION_DEPTH and bool(IN_REQUIREMENTS.search(path) or NESTED.search(path))


class Reader:
    """Reads sources within a bound on all of them together."""

    def __init__(self):
        self.left = MAX_SOURCES

    def source(self, path, size):
        if size > MAX_SOURCE or size > self.left:
            return None
        try:
            with open(path, "rb") as stream:
                data = stream.read(MAX_SOURCE)
        except OSError:
            return None
        self.left -= len(data)
        return data

    def entry(self, shown, path, size):
        """One TreeFile."""
        entry = {"path": shown, "sizeBytes": size, "testFunctions": 0}
        data = self.source(path, size) if shown.endswith(".py") else None
        if data is None:
            return entry
        entry["testFunctions"] = sum(1 for _ in TEST_FUNCTION.finditer(data))
        if UNITTEST.search(data):
            entry["usesUnittest"] = True
        if PYTEST.search(data):
            entry["usesPytest"] = True
        if entry["testFunctions"] or LOOKS_LIKE_TEST.search(shown):
            entry["imports"] = imports_of(data)
        return entry


def imports_of(data):
    """Top-level names that the module imports when it is imported itself: not those inside of functions."""
    names = set()
    text = data.decode("utf-8", "replace")
    try:
        if len(data) > MAX_AST:
            raise ValueError("too long to parse")
        stack = list(ast.parse(text).body)
        while stack:
            node = stack.pop()
            if isinstance(node, ast.Import):
                names.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                if node.level == 0 and node.module:
                    names.add(node.module.split(".")[0])
            elif isinstance(node, (ast.If, ast.Try, ast.With, ast.For, ast.While, ast.ClassDef)):
                for field in ("body", "orelse", "finalbody"):
                    stack.extend(getattr(node, field, ()))
                for handler in getattr(node, "handlers", ()):
                    stack.extend(handler.body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Python 2, or a template: by the look of its lines.
        for first, several in IMPORT.findall(text):
            names.update(part.split(".")[0].split()[0] for part in (first or several).split(",") if part.strip())
    return sorted(name for name in names if name.isidentifier() and name.isascii())[:MAX_IMPORTS]


def list_tree(root):
    files, texts = [], {}
    reader, room, truncated = Reader(), MAX_TEXTS, False
    real_root = os.path.realpath(root)
    for directory, names, members in os.walk(root):
        names[:] = sorted(name for name in names if name not in SKIPPED and not name.endswith(".egg-info"))
        if names and os.path.relpath(directory, root).count("/") + 3 > MAX_DEPTH:
            truncated = True
            names[:] = []
        for member in sorted(members):
            path = os.path.join(directory, member)
            shown = os.path.relpath(path, root)
            if not shown.isprintable():
                shown = shown.encode("utf-8", "backslashreplace").decode("ascii", "backslashreplace")
            try:
                state = os.lstat(path)
                if stat.S_ISLNK(state.st_mode):
                    # A link to a file of the tree stands for that file; others lead away.
                    if not os.path.realpath(path).startswith(real_root + "/"):
                        continue
                    state = os.stat(path)
            except OSError:
                continue
            if not stat.S_ISREG(state.st_mode):
                continue
            if len(files) >= MAX_FILES:
                truncated = True
                break
            files.append(reader.entry(shown, path, state.st_size))
            if wanted_text(shown):
                text = read_text(path, MAX_TEXT)
                if len(text) > room:
                    truncated = True
                else:
                    room -= len(text)
                    texts[shown] = text
    files.sort(key=lambda entry: entry["path"])
    return {"files": files, "texts": texts, "truncated": truncated or reader.left <= 0}


def hash_tree(root):
    """Of each Python file what git calls its blob: which version of it this is."""
    import hashlib

    hashes, left = {}, MAX_SOURCES
    for directory, names, members in os.walk(root):
        names[:] = sorted(name for name in names if name not in SKIPPED and not name.endswith(".egg-info"))
        for member in sorted(members):
            path = os.path.join(directory, member)
            shown = os.path.relpath(path, root)
            if not member.endswith(".py") or not shown.isprintable() or os.path.islink(path) or not os.path.isfile(path):
                continue
            size = os.path.getsize(path)
            if size > MAX_SOURCE or size > left or len(hashes) >= MAX_FILES:
                continue
            left -= size
            with open(path, "rb") as stream:
                data = stream.read(MAX_SOURCE)
            hashes[shown] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return hashes


def list_installed(venv, project):
    lib = os.path.join(venv, "lib")
    sites = [os.path.join(lib, name, "site-packages") for name in sorted(os.listdir(lib))]
    found = find_metadata(sites, project)
    if found is None:
        return None
    site, info = found
    reader, files = Reader(), []
    paths = record_paths(site, info)
    for shown in paths[:MAX_FILES]:
        path = os.path.join(site, shown)
        if shown.count("/") >= MAX_DEPTH or shown.endswith(".pyc") or not os.path.isfile(path) or os.path.islink(path):
            continue
        files.append(reader.entry(shown, path, os.path.getsize(path)))
    metadata = read_text(os.path.join(site, info, "METADATA"), MAX_TEXT) or read_text(os.path.join(site, info, "PKG-INFO"), MAX_TEXT)
    return {
        "sitePackages": site,
        "files": files,
        "topLevel": top_level_of(paths),
        "metadata": metadata,
        "entryPoints": read_text(os.path.join(site, info, "entry_points.txt"), MAX_TEXT),
        "distributions": distributions(sites),
    }


def distributions(sites):
    """What is installed and what each needs, for the check that they agree: headers of their metadata, unread."""
    found = []
    for site in sites:
        for name in sorted(os.listdir(site)):
            if not name.endswith((".dist-info", ".egg-info")):
                continue
            path = os.path.join(site, name)
            text = read_text(os.path.join(path, "METADATA")) or read_text(os.path.join(path, "PKG-INFO")) or read_text(path)
            entry = {"name": "", "version": "", "requires": []}
            for line in text.partition("\n\n")[0].split("\n"):
                header, _, value = line.partition(": ")
                if header in ("Name", "Version"):
                    entry[header.lower()] = value.strip()
                elif header == "Requires-Dist" and len(entry["requires"]) < MAX_REQUIRES:
                    entry["requires"].append(value.strip())
            if len(found) < MAX_DISTRIBUTIONS:
                found.append(entry)
    return found


class Refused(Exception):
    pass


def unpack(archive, destination):
    """Unpacks an sdist, a wheel or a packed tree; what would leave the directory is refused and told of."""
    os.makedirs(destination, exist_ok=True)
    refused = []
    with open(archive, "rb") as stream:
        magic = stream.read(4)
    if magic == b"PK\x03\x04":
        unpack_zip(archive, destination, refused)
    else:
        unpack_tar(archive, destination, refused)
    # An sdist holds one directory; a packed tree, or one whose only entry is a package, lies there as it is.
    names = os.listdir(destination)
    only = os.path.join(destination, names[0]) if len(names) == 1 else ""
    if os.path.isdir(only) and not os.path.exists(os.path.join(only, "__init__.py")):
        return only, refused
    return destination, refused


def unpack_tar(archive, destination, refused):
    import tarfile

    total = 0
    try:
        with tarfile.open(archive, "r:*") as tar:
            for count, member in enumerate(tar):
                total += member.size
                if count >= MAX_MEMBERS or total > MAX_UNPACKED:
                    raise Refused("it unpacks to more than %d files or %d bytes" % (MAX_MEMBERS, MAX_UNPACKED))
                try:
                    # Refuses absolute names, ways out, devices; drops owners and odd modes.
                    tar.extract(member, destination, filter="data")
                except (tarfile.FilterError, OSError, ValueError) as error:
                    if len(refused) < MAX_REFUSED:
                        refused.append("%s: %s" % (member.name[:200], str(error)[:200]))
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise Refused("it cannot be unpacked: %s" % error)


def unpack_zip(archive, destination, refused):
    import shutil
    import zipfile

    try:
        with zipfile.ZipFile(archive) as package:
            members = package.infolist()
            if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_UNPACKED:
                raise Refused("it unpacks to more than %d files or %d bytes" % (MAX_MEMBERS, MAX_UNPACKED))
            for member in members:
                parts = member.filename.split("/")
                mode = member.external_attr >> 16
                if member.filename.startswith("/") or ".." in parts or "\\" in member.filename or stat.S_ISLNK(mode):
                    if len(refused) < MAX_REFUSED:
                        refused.append("%s: leads out, or is a link" % member.filename[:200])
                    continue
                target = os.path.join(destination, *[part for part in parts if part not in ("", ".")])
                if member.is_dir():
                    os.makedirs(target, exist_ok=True)
                    continue
                try:
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    # zipfile itself stops at the size that was announced.
                    with package.open(member) as source, open(target, "xb") as sink:
                        shutil.copyfileobj(source, sink, 1 << 20)
                    os.chmod(target, 0o755 if mode & 0o111 else 0o644)
                except FileExistsError:
                    refused.append("%s: twice in the archive" % member.filename[:200])
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise Refused("it cannot be unpacked: %s" % error)


def write(path, value):
    with open(path, "wb") as stream:
        stream.write(json.dumps(value).encode("ascii"))


def main(argv):
    match argv[1:]:
        case ["unpack", "--out", out, archive, destination, *then]:
            try:
                root, refused = unpack(archive, destination)
            except Refused as error:
                sys.stderr.write("%s: %s\n" % (os.path.basename(archive), error))
                return 1
            write(out, {"root": root, "listing": list_tree(root), "refused": refused})
            if then:
                _, code, installed_out, venv, project = then
                if await_code(code) == "0":
                    write(installed_out, list_installed(venv, project))
        case ["tree", "--out", out, root]:
            write(out, list_tree(root))
        case ["hashes", "--out", out, root]:
            write(out, hash_tree(root))
        case ["installed", "--out", out, venv, project, *then]:
            if then and await_code(then[1]) != "0":
                return 1
            write(out, list_installed(venv, project))
        case _:
            sys.stderr.write("usage: scan.py unpack|tree|installed --out FILE ...\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
