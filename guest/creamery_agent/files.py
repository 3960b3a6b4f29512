"""Files to and from the guest. Package code may have put links anywhere in its own directories, so every component of
a path is opened by itself and no link is followed."""

import os
import stat

from .channel import CONTENT, MAX_PAYLOAD
from .processes import JOB_GID, JOB_UID

CHUNK = MAX_PAYLOAD // 2


def parts_of(path):
    parts = path.split("/")
    if not path.startswith("/") or any(part in ("", ".", "..") for part in parts[1:]):
        raise ValueError("not a plain absolute path")
    return parts[1:]


def open_directory(parts, owner=None):
    """A descriptor of the directory; with an owner (uid, gid) what is missing of it is made."""
    at = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    for part in parts:
        try:
            if owner is not None:
                try:
                    os.mkdir(part, 0o755, dir_fd=at)
                    os.chown(part, *owner, dir_fd=at, follow_symlinks=False)
                except FileExistsError:
                    pass
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
        finally:
            os.close(at)
        at = below
    return at


def open_regular(path):
    """A descriptor of a regular file, or None when there is none; a link, a pipe or a device is none."""
    *above, name = parts_of(path)
    try:
        directory = open_directory(above)
    except OSError:
        return None
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except OSError:
        return None
    finally:
        os.close(directory)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return None
    return fd


def sender(channel, fd, limit):
    """A function that sends one piece each time it is called, and says whether there is more."""
    left = limit

    def send(ident):
        nonlocal left
        chunk = b""
        failed = None
        try:
            if left > 0:
                chunk = os.read(fd, min(CHUNK, left))
        except OSError as error:
            failed = error
        if chunk:
            left -= len(chunk)
            channel.frame(CONTENT, ident, chunk)
            return True
        os.close(fd)
        if failed is None:
            channel.message(ident, op="done", exists=True)
        else:
            channel.message(ident, op="failed", reason=f"{failed}"[:500])
        return False

    return send


class Receiver:
    """Writes beside the place and renames at the end: a file is there whole or not at all."""

    def __init__(self, path, mode, job):
        *above, self.name = parts_of(path)
        owner = (JOB_UID, JOB_GID) if job else (0, 0)
        self.directory = open_directory(above, owner)
        self.part = f".{self.name[:100]}.creamery-part"
        try:
            try:
                os.unlink(self.part, dir_fd=self.directory)
            except FileNotFoundError:
                pass
            self.fd = os.open(
                self.part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=self.directory
            )
        except OSError:
            os.close(self.directory)
            raise
        os.fchown(self.fd, *owner)
        os.fchmod(self.fd, mode & 0o777)

    def write(self, payload):
        view = memoryview(payload)
        while view:
            view = view[os.write(self.fd, view) :]

    def close(self):
        os.close(self.fd)
        os.rename(self.part, self.name, src_dir_fd=self.directory, dst_dir_fd=self.directory)
        os.close(self.directory)

    def abandon(self):
        for fd in (self.fd, self.directory):
            try:
                os.close(fd)
            except OSError:
                pass
