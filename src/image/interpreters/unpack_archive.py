"""Unpacks an archive of an interpreter, whatever is in it: run as root inside the new root file system.

Arguments: the archive, the directory in it that is the interpreter's tree (`.` for all), where that goes, the most bytes and
the most entries. An entry that would lie outside, or behind a link, ends it; so does a device, an entry of a kind that no
tree has, and what is larger than it may be or than it says. Modes are made those of a tree that root installed.
"""

import os
import posixpath
import stat
import sys
import tarfile
import zipfile
import zlib

CHUNK = 1024 * 1024
DIRECTORY, FILE, LINK, HARD_LINK = "directory", "file", "link", "hard link"


class Refused(Exception):
    """Says in one line what is wrong with the archive."""


def zip_entries(archive):
    for info in archive.infolist():
        mode = info.external_attr >> 16
        kind = stat.S_IFMT(mode)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
            raise Refused("%s is neither file, directory nor link" % shown(info.filename))
        if stat.S_ISLNK(mode):
            if info.file_size > 4096:
                raise Refused("%s is a link with a target of %d bytes" % (shown(info.filename), info.file_size))
            yield LINK, info.filename, archive.read(info).decode("utf-8", "surrogateescape"), 0, 0, None
        elif info.is_dir():
            yield DIRECTORY, info.filename, "", 0, 0, None
        else:
            yield FILE, info.filename, "", mode, info.file_size, lambda info=info: archive.open(info)


def tar_entries(archive):
    for info in archive:
        if info.isdir():
            yield DIRECTORY, info.name, "", 0, 0, None
        elif info.issym():
            yield LINK, info.name, info.linkname, 0, 0, None
        elif info.islnk():
            yield HARD_LINK, info.name, info.linkname, 0, 0, None
        elif info.isreg():
            yield FILE, info.name, "", info.mode, info.size, lambda info=info: archive.extractfile(info)
        else:
            raise Refused("%s is neither file, directory nor link" % shown(info.name))


def shown(text):
    return ascii(text[:200])


def inside(name, what):
    """The path below the tree that a name of the archive stands for."""
    parts = name.split("/")
    if name.startswith("/") or "\\" in name or "\0" in name or ".." in parts:
        raise Refused("%s %s leads out of the archive" % (what, shown(name)))
    return posixpath.normpath(name)


def below(path, root):
    """`path` as seen from `root`; None where it lies elsewhere in the archive."""
    if root == ".":
        return path
    if path == root:
        return "."
    return path[len(root) + 1 :] if path.startswith(root + "/") else None


def unpack(entries, root, target, max_bytes, max_entries):
    """@param root: normalised. @returns how many files were written."""
    links = set()
    left, count, written = max_bytes, 0, 0
    for kind, name, goal, mode, size, opened in entries:
        count += 1
        if count > max_entries:
            raise Refused("it has more than %d entries" % max_entries)
        path = below(inside(name, "an entry"), root)
        if path is None:
            continue
        if any(path == link or path.startswith(link + "/") for link in parents(path, links)):
            raise Refused("%s lies behind a link of the archive's own" % shown(name))
        place = posixpath.join(target, path)
        if kind == DIRECTORY or path == ".":
            os.makedirs(place, mode=0o755, exist_ok=True)
            continue
        os.makedirs(posixpath.dirname(place), mode=0o755, exist_ok=True)
        if os.path.lexists(place):
            raise Refused("%s is in it twice" % shown(name))
        if kind == LINK:
            check_goal(path, goal, links, name)
            os.symlink(goal, place)
            links.add(path)
        elif kind == HARD_LINK:
            end = below(inside(goal, "a hard link"), root)
            source = None if end is None else posixpath.join(target, end)
            if source is None or parents(end, links) or not os.path.isfile(source):
                raise Refused("%s is a hard link to what is no file of the tree" % shown(name))
            with open(source, "rb") as stream:
                left -= copy(stream, place, os.stat(source).st_size, left, os.stat(source).st_mode, name)
            written += 1
        else:
            if size > left:
                raise Refused("its files are larger than %d bytes" % max_bytes)
            with opened() as stream:
                left -= copy(stream, place, size, left, mode, name)
            written += 1
    check_ends(links, target)
    return written


def check_goal(path, goal, links, name):
    """What a link names lies in the tree, step by step: behind another link, `..` is not what it looks like."""
    steps = [step for step in posixpath.dirname(path).split("/") if step]
    if goal.startswith("/"):
        raise Refused("%s is a link that leads out of the tree" % shown(name))
    for step in goal.split("/"):
        if "/".join(steps) in links:
            raise Refused("%s is a link that leads through another" % shown(name))
        if step == ".." and not steps:
            raise Refused("%s is a link that leads out of the tree" % shown(name))
        if step == "..":
            steps.pop()
        elif step not in ("", "."):
            steps.append(step)


def check_ends(links, target):
    """Where the links lead together, once all of them are there: a later one may lie on an earlier one's way."""
    root = os.path.realpath(target)
    for link in sorted(links):
        end = os.path.realpath(posixpath.join(target, link))
        if end != root and not end.startswith(root + "/"):
            raise Refused("%s is a link that leads out of the tree" % shown(link))


def parents(path, links):
    """The path itself and each directory above it, of those that are links."""
    parts = path.split("/")
    return [above for above in ("/".join(parts[: end + 1]) for end in range(len(parts))) if above in links]


def copy(stream, place, size, left, mode, name):
    """Writes what an entry holds; never more than it says, whatever it unpacks to."""
    copied = 0
    with open(place, "xb") as target:
        while True:
            chunk = stream.read(CHUNK)
            if not chunk:
                break
            copied += len(chunk)
            if copied > min(size, left):
                raise Refused("%s is larger than it says" % shown(name))
            target.write(chunk)
    if copied != size:
        raise Refused("%s is cut short: %d bytes of %d" % (shown(name), copied, size))
    os.chmod(place, 0o755 if mode & 0o111 else 0o644)
    return copied


def main():
    path, root, target, max_bytes, max_entries = sys.argv[1:]
    root = inside(root.rstrip("/"), "the tree's directory")
    os.umask(0o022)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                files = unpack(zip_entries(archive), root, target, int(max_bytes), int(max_entries))
        elif tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                files = unpack(tar_entries(archive), root, target, int(max_bytes), int(max_entries))
        else:
            raise Refused("it is neither a zip nor a tar archive, or it is cut short")
        if files == 0:
            raise Refused("it has no files below %s" % shown(root))
    except (Refused, zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, UnicodeError, NotImplementedError, RuntimeError) as fault:
        sys.exit("refused: %s" % fault)
    except OSError as fault:
        # A disk that is full is no fault of the archive's; a broken compression is.
        sys.exit("%s: %s" % ("refused" if fault.errno is None else "failed", fault))


if __name__ == "__main__":
    main()
