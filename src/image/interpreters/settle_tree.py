"""Makes a CPython that was built to lie elsewhere work where it lies: run as root inside the new root file system.

Arguments: the tree, its version (`3.12`). What is done is done only where it is needed, so that a tree that was made to be
moved comes out as it went in:

- programs get their exec bits, and copies of one file become links to it again
- the prefix that it was built with is replaced by the tree's own: in texts, and in compiled files as C strings, padded
- what was meant for its own linking (`-s`, its run path) leaves the flags that extensions are linked with
- shared libraries that its extension modules want are put beside them, the image's own by a link
- the certificates of the image are where its OpenSSL looks for them

What the tree brought is read, and where something of it has to run it runs as the job's user, never as root.

Prints nothing; ends with a line that says why when it can't be done.
"""

import ast
import filecmp
import glob
import os
import pprint
import re
import shutil
import subprocess
import sys

#: The job's user and its group, as customize.sh makes them.
JOB_USER = 1000
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
CERTIFICATES_DIRECTORY = "/etc/ssl/certs"
#: Where Debian has shared libraries, by architecture.
SYSTEM_LIBRARIES = ("/usr/lib/*-linux-gnu", "/lib/*-linux-gnu")
#: Keys of sysconfig that go into the linking of extensions.
LINKING = re.compile(r"^(?:PY_)?(?:CONFIGURE_)?(?:B?LDSHARED|LDCXXSHARED|LDFLAGS|PY_CORE_LDFLAGS|PY_LDFLAGS(?:_NODIST)?|LDFLAGS_NODIST|LINKCC)$")

#: What was meant for the interpreter's own linking. A run path may be the word after: `-Wl,-rpath -Wl,/x`, `-Xlinker -rpath -Xlinker /x`.
OWN_LINKING = re.compile(
    r"(?<!\S)(?:-s|-Wl,-rpath(?:-link)?(?:[,=]\S*|\s+-Wl,\S+)?|-Xlinker\s+-rpath(?:-link)?(?:=\S*|\s+-Xlinker\s+\S+)?)(?!\S)"
)


def files_below(tree):
    for directory, directories, names in os.walk(tree):
        directories.sort()
        for name in sorted(names):
            path = os.path.join(directory, name)
            if not os.path.islink(path):
                yield path


def read(path):
    with open(path, "rb") as stream:
        return stream.read()


def write(path, content):
    """In place, with the mode that it has."""
    with open(path, "r+b") as stream:
        stream.truncate()
        stream.write(content)


def set_modes(tree):
    for path in files_below(tree):
        with open(path, "rb") as stream:
            head = stream.read(4)
        runs = head == b"\x7fELF" or (head[:2] == b"#!" and not path.endswith(".py"))
        in_programs = os.path.dirname(path) == os.path.join(tree, "bin")
        os.chmod(path, 0o755 if in_programs or runs else os.stat(path).st_mode & 0o777)


def remove_byte_code(tree):
    for directory, directories, _ in os.walk(tree):
        if "__pycache__" in directories:
            shutil.rmtree(os.path.join(directory, "__pycache__"))
            directories.remove("__pycache__")


def relink(link, target):
    """`link` becomes a link to its neighbour `target`, where it is missing or a copy of it."""
    neighbour = os.path.join(os.path.dirname(link), target)
    if not os.path.exists(neighbour) or os.path.islink(link):
        return
    if os.path.exists(link):
        if not filecmp.cmp(link, neighbour, shallow=False):
            return
        os.remove(link)
    os.symlink(target, link)


def place_libpython(tree, version):
    """The shared library, which a JVM wants at the top, goes to where programs are linked against it."""
    for path in glob.glob(os.path.join(tree, "libpython%s*.so.*" % version)):
        place = os.path.join(tree, "lib", os.path.basename(path))
        if not os.path.exists(place):
            shutil.move(path, place)
    shared = sorted(glob.glob(os.path.join(tree, "lib", "libpython%s.so.*" % version)))
    if shared:
        relink(os.path.join(tree, "lib", "libpython%s.so" % version), os.path.basename(shared[-1]))


def relink_programs(tree, version):
    programs = os.path.join(tree, "bin")
    relink(os.path.join(programs, "python3"), "python" + version)
    relink(os.path.join(programs, "python"), "python" + version)
    for name, whole in (("python3-config", "python%s-config"), ("pydoc3", "pydoc%s"), ("idle3", "idle%s"), ("2to3", "2to3-%s"), ("pip3", "pip%s")):
        relink(os.path.join(programs, name), whole % version)


def built_prefix(tree, version):
    """The prefix that the tree was built with; None where its .pc file says none."""
    path = os.path.join(tree, "lib", "pkgconfig", "python-%s.pc" % version)
    if not os.path.exists(path):
        return None
    found = re.search(r"^prefix=(/\S+?)/*$", read(path).decode("utf-8", "replace"), re.M)
    return found.group(1) if found else None


def told_of_building(tree, path):
    """Whether a file is one of the few that say how the interpreter was built."""
    place = os.path.relpath(path, tree)
    return re.match(r"bin/|lib/pkgconfig/|lib/python[\d.]+/(?:_sysconfigdata_[^/]*\.py$|config-)", place) is not None


def replace_prefix(tree, old, new):
    before, after = old.encode(), new.encode()
    # `/install` and the like stand in other texts too, as a part of other paths: only one with some depth is surely this.
    deep = old.count("/") > 2
    if old.count("/") == 1 and os.path.isdir(old):
        sys.exit("it was built for %s, which the image has too: its own paths can't be told from the image's" % old)
    start = rb"" if deep else rb"(?:(?<![\w./-])|(?<=-[IL]))"
    whole = re.compile(start + re.escape(before) + rb"(?![\w.-])")
    string = re.compile(whole.pattern + rb"[^\0]*\0")
    for path in files_below(tree):
        if not deep and not told_of_building(tree, path):
            continue
        content = read(path)
        if not whole.search(content):
            continue
        if b"\0" not in content:
            write(path, whole.sub(after, content))
            continue
        if not deep:
            continue
        if len(after) > len(before):
            sys.exit("%s was built for %s, which is shorter than %s" % (path, old, new))
        # A C string keeps its place and its length: what it lost is NULs at its end. Paths may be joined in one string.
        def padded(match):
            text = whole.sub(after, match.group(0)[:-1])
            return text + b"\0" * (len(match.group(0)) - len(text))

        write(path, string.sub(padded, content))


def linking_flags(value):
    kept = OWN_LINKING.sub("", value)
    return value if kept == value else " ".join(word for word in kept.split(" ") if word)


def build_variables(path):
    """What a file of sysconfig's says: read, and not run."""
    try:
        [statement] = ast.parse(read(path)).body
        [target] = statement.targets
        if target.id == "build_time_vars":
            return ast.literal_eval(statement.value)
    except (SyntaxError, ValueError, AttributeError, RecursionError, MemoryError):
        pass
    sys.exit("%s is not one assignment of build_time_vars" % path)


def clean_linking(tree, version):
    for path in glob.glob(os.path.join(tree, "lib", "python" + version, "_sysconfigdata_*.py")):
        variables = build_variables(path)
        cleaned = {key: linking_flags(value) if isinstance(value, str) and LINKING.match(key) else value for key, value in variables.items()}
        if cleaned != variables:
            text = "# system configuration generated and used by the sysconfig module\nbuild_time_vars = %s\n" % pprint.pformat(cleaned)
            write(path, text.encode())
    for path in glob.glob(os.path.join(tree, "lib", "python" + version, "config-*", "Makefile")):
        lines = read(path).decode("utf-8", "surrogateescape").split("\n")
        for index, line in enumerate(lines):
            key, separator, value = line.partition("=")
            if separator and LINKING.match(key.strip()):
                lines[index] = key + separator + linking_flags(value)
        write(path, "\n".join(lines).encode("utf-8", "surrogateescape"))


def said_as_job_user(command):
    """What a command that runs something of the tree prints; None where it can't be started or fails, which is for the proof to tell."""
    rights = {"user": JOB_USER, "group": JOB_USER, "extra_groups": []} if os.geteuid() == 0 else {}
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
    try:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, **rights)
    except OSError:
        return None
    return ended.stdout.decode("utf-8", "replace") if ended.returncode == 0 else None


def unmet(path):
    """Names of the shared libraries that a compiled file wants and that are not found. ldd may run the file."""
    return re.findall(r"^\s*(\S+) => not found$", said_as_job_user(["ldd", path]) or "", re.M)


def bring_libraries(tree, version):
    modules = os.path.join(tree, "lib", "python" + version, "lib-dynload")
    for path in sorted(glob.glob(os.path.join(modules, "*.so"))):
        for name in unmet(path):
            place = os.path.join(modules, name)
            own = os.path.join(tree, name)
            if os.path.lexists(place):
                continue
            if os.path.isfile(own):
                shutil.copyfile(own, place)
                os.chmod(place, 0o755)
                continue
            # Debian names a few by one number more than others do: libbz2.so.1.0.
            same = [found for pattern in SYSTEM_LIBRARIES for found in sorted(glob.glob(os.path.join(pattern, name + ".[0-9]")))]
            if same:
                os.symlink(same[0], place)


def remove_what_a_jvm_wants(tree):
    """Compiled files at the top of the tree, and empty directories: all that was wanted of them lies where it is used."""
    for name in sorted(os.listdir(tree)):
        path = os.path.join(tree, name)
        if os.path.isfile(path) and not os.path.islink(path) and read(path)[:4] == b"\x7fELF":
            os.remove(path)
        elif os.path.isdir(path) and not os.path.islink(path) and not os.listdir(path):
            os.rmdir(path)


def link_certificates(tree, python):
    asked = "import ssl; paths = ssl.get_default_verify_paths(); print(paths.openssl_cafile); print(paths.openssl_capath)"
    said = said_as_job_user([python, "-I", "-S", "-B", "-c", asked]) or ""
    for path, target in zip(said.split("\n"), (CERTIFICATES, CERTIFICATES_DIRECTORY)):
        # Elsewhere it is no part of the tree: then the image's own OpenSSL serves it, or its builder chose a place that is there.
        if path.startswith(tree + "/") and lies_in(tree, os.path.dirname(path)) and not os.path.lexists(path):
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            os.symlink(target, path)


def lies_in(tree, path):
    """Whatever `..` and links in it lead to."""
    return (os.path.realpath(path) + "/").startswith(os.path.realpath(tree) + "/")


def main():
    tree, version = sys.argv[1:]
    os.umask(0o022)
    python = os.path.join(tree, "bin", "python" + version)
    if not os.path.isfile(python):
        sys.exit("there is no bin/python%s in it" % version)
    remove_byte_code(tree)
    set_modes(tree)
    place_libpython(tree, version)
    relink_programs(tree, version)
    prefix = built_prefix(tree, version)
    if prefix is not None and prefix != tree:
        replace_prefix(tree, prefix, tree)
    clean_linking(tree, version)
    bring_libraries(tree, version)
    remove_what_a_jvm_wants(tree)
    link_certificates(tree, python)


if __name__ == "__main__":
    main()
