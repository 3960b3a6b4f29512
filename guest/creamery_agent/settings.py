"""Where things are; tests outside of a guest put them elsewhere."""

import os

# Everything that would touch a whole system (its resolver, all processes of a user) is done by a guest's init only.
IN_GUEST = os.getpid() == 1
INDEX_SOCKET = os.environ.get("CREAMERY_INDEX_SOCKET", "/run/creamery/index.sock")
# `address:port` of the index where it is behind a network card instead of a socket; set by a virtual machine's init.
INDEX_TCP = os.environ.get("CREAMERY_INDEX_TCP", "")
INDEX_PORT = int(os.environ.get("CREAMERY_INDEX_PORT", "8099"))
EVENT_DIRECTORY = os.environ.get("CREAMERY_EVENT_DIRECTORY", "/run/creamery-job")
# Where the job's user may write, /job last: what it holds is the least of surprises.
WRITABLE = os.environ.get("CREAMERY_WRITABLE", "/tmp:/var/tmp:/home:/dev/shm:/var/lock:/var/mail:/job").split(":")
