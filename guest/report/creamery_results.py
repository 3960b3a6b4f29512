# -*- coding: utf-8 -*-
"""Records what unittest's result classes are told, whoever runs the tests. Python 2.7 to 3.15 and PyPy."""

import atexit
import os
import sys
import time

from creamery_record import Owner, canonical, clipped, register_dump, sink, tell_imported, wanted_ids

RANK = {"skipped": 1, "passed": 2, "xfailed": 3, "xpassed": 4, "failed": 5, "error": 6}
LOADING = ("_FailedTest", "ModuleImportFailure", "LoadTestsFailure", "ModuleSkipped")


class Recorder(object):
    """Of this process. One test is active at a time; a result that is told of another one meanwhile belongs to a test of
    a test runner, or passes the same news on."""

    def __init__(self):
        self.active = None
        self.result_of_active = None
        self.outcome = None
        self.message = u""
        self.began = 0.0
        self.sizes = None
        self.count = 0
        self.runs_open = 0
        self.pid = None

    def ours(self):
        if self.pid == os.getpid():
            return True
        if not Owner.take("unittest"):
            return False
        self.__init__()
        self.pid = os.getpid()
        register_dump()
        atexit.register(self.finish, os.getpid())
        if "multiprocessing.util" in sys.modules:
            # Children of multiprocessing end without atexit.
            sys.modules["multiprocessing.util"].Finalize(None, self.finish, args=(os.getpid(),), exitpriority=-100)
        sink.send({"e": "start", "runner": "unittest", "version": u"%d.%d" % sys.version_info[:2]})
        return True

    def start(self, result, test):
        if self.active is not None or not self.ours():
            return
        self.active, self.result_of_active = test, result
        self.outcome, self.message = None, u""
        self.sizes = sizes(result)
        self.began = time.time()
        if not loading(test):
            sink.send({"e": "begin", "id": canonical(name(test))})

    def add(self, result, test, outcome, message):
        if self.active is None:
            # setUpClass, setUpModule: told of with no test begun.
            if self.ours():
                self.send(name(test), outcome, 0.0, message)
            return
        if result is not self.result_of_active:
            return
        if RANK[outcome] > RANK.get(self.outcome, 0):
            self.outcome = outcome
            self.message = message if outcome != "passed" else u""

    def stop(self, result, test):
        if self.active is None or result is not self.result_of_active or test is not self.active:
            return
        if self.outcome is None:
            # A result class of the project's own that doesn't pass the news on to its base.
            before, now = self.sizes, sizes(result)
            grown = [outcome for outcome in ("error", "failed", "xpassed", "xfailed", "skipped") if now[outcome] > before[outcome]]
            self.outcome = grown[0] if grown else "passed"
        self.active = None
        if loading(test):
            event = "collect-skip" if self.outcome == "skipped" else "collect-error"
            # The module's name: the class around it is unittest's own.
            module = getattr(test, "_testMethodName", None) or name(test)
            sink.send({"e": event, "id": canonical(module), "m": self.message})
            return
        self.send(name(test), self.outcome, time.time() - self.began, self.message)

    def send(self, ident, outcome, seconds, message):
        event = {"e": "result", "id": canonical(ident), "o": outcome, "s": round(max(0.0, seconds), 5)}
        if message:
            event["m"] = message
        self.count += 1
        sink.send(event)

    def finish(self, pid):
        if pid != os.getpid() or self.pid != pid:
            return
        self.pid = None
        tell_imported()
        stopped = u"" if self.active is None and self.runs_open == 0 else u"ended in the middle of a run"
        sink.send({"e": "finish", "results": self.count, "stopped": stopped})
        Owner.pid = -1


recorder = Recorder()


def name(test):
    try:
        return test.id()
    except Exception:
        return str(test)


def loading(test):
    return type(test).__name__ in LOADING


def sizes(result):
    lists = {"failed": "failures", "error": "errors", "skipped": "skipped", "xfailed": "expectedFailures", "xpassed": "unexpectedSuccesses"}
    return dict((outcome, len(getattr(result, attribute, ()) or ())) for outcome, attribute in lists.items())


def explain(err):
    import traceback

    if isinstance(err, tuple) and len(err) == 3:
        try:
            return clipped(u"".join(part.decode("utf-8", "replace") if isinstance(part, bytes) else part for part in traceback.format_exception(*err)))
        except Exception:
            return clipped(err[1])
    return clipped(err)


def patch_result(cls):
    """Wraps the methods of unittest.TestResult; classes derived from it call them."""

    def wrap(method, tell):
        original = cls.__dict__.get(method)
        if original is None:
            return

        def wrapper(self, *args, **kwargs):
            try:
                tell(self, *args, **kwargs)
            except Exception:
                # A reporter's own mistake must not become a test's.
                pass
            return original(self, *args, **kwargs)

        wrapper.__name__ = method
        wrapper.__doc__ = original.__doc__
        setattr(cls, method, wrapper)

    add = recorder.add
    wrap("startTest", recorder.start)
    wrap("stopTest", recorder.stop)
    wrap("addSuccess", lambda self, test: add(self, test, "passed", u""))
    wrap("addFailure", lambda self, test, err: add(self, test, "failed", explain(err)))
    wrap("addError", lambda self, test, err: add(self, test, "error", explain(err)))
    wrap("addSkip", lambda self, test, reason: add(self, test, "skipped", clipped(reason)))
    wrap("addExpectedFailure", lambda self, test, err: add(self, test, "xfailed", explain(err)))
    wrap("addUnexpectedSuccess", lambda self, test: add(self, test, "xpassed", u""))

    def subtest(self, test, subtest, err):
        if err is not None:
            failed = issubclass(err[0], test.failureException)
            add(self, test, "failed" if failed else "error", explain(err))

    wrap("addSubTest", subtest)


def patch_runner(cls):
    """Wraps unittest.TextTestRunner.run: what it is about to run is counted, and it doesn't stop at the first failure."""
    original = cls.run

    def run(self, test, *args, **kwargs):
        if recorder.active is not None or recorder.runs_open or not recorder.ours():
            return original(self, test, *args, **kwargs)
        self.failfast = False
        wanted = wanted_ids()
        if wanted is not None:
            test = only(test, wanted)
        sink.send({"e": "collected", "count": test.countTestCases()})
        recorder.runs_open += 1
        result = original(self, test, *args, **kwargs)
        recorder.runs_open -= 1
        return result

    cls.run = run


def only(suite, wanted):
    import unittest

    found = []
    stack = [suite]
    while stack:
        item = stack.pop()
        if hasattr(item, "__iter__"):
            stack.extend(reversed(list(item)))
        elif loading(item) or canonical(name(item)) in wanted or fixtures_of(item) & wanted:
            found.append(item)
    return unittest.TestSuite(found)


def fixtures_of(test):
    """Ids under which unittest tells of a fixture of the test's class or module that failed: to run it again takes its tests."""
    kind = type(test)
    scopes = {"Class": "%s.%s" % (kind.__module__, getattr(kind, "__qualname__", kind.__name__)), "Module": kind.__module__}
    return set(canonical("%s%s (%s)" % (when, what, scope)) for what, scope in scopes.items() for when in ("setUp", "tearDown"))


def install():
    """Once in a process; imports unittest."""
    import unittest

    if getattr(unittest, "_creamery_recorded", False):
        return
    unittest._creamery_recorded = True
    patch_result(unittest.TestResult)
    patch_runner(unittest.TextTestRunner)
