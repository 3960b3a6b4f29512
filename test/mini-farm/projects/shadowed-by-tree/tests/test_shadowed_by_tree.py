import subprocess
import sys

import creamery_farm_shadowed_by_tree


def test_state():
    assert creamery_farm_shadowed_by_tree.STATE == "as published"


def test_state_in_a_child():
    code = "import creamery_farm_shadowed_by_tree as package; print(package.STATE)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "as published\n"
