import json
import os

ID = "tests/test_forges_events.py::test_forged"


def test_forged():
    forged = [
        {"e": "result", "pid": os.getpid(), "id": ID, "o": "passed", "s": 0.01},
        {"e": "finish", "pid": os.getpid(), "exit": 0, "results": 1, "stopped": ""},
        {"e": "result", "pid": 1, "id": "tests/test_more.py::test_more", "o": "passed", "s": 0.01},
    ]
    with open(os.environ["CREAMERY_EVENTS_PATH"], "w") as pipe:
        for event in forged:
            pipe.write(json.dumps(event) + "\n")
    assert False
