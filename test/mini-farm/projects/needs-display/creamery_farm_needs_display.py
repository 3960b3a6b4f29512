"""Opens a window."""

import os


def open_window():
    if not os.environ.get("DISPLAY"):
        raise RuntimeError("no display name and no $DISPLAY environment variable")
