# -*- coding: utf-8 -*-
"""pytest plugin that sends events of a run to the host: `-p creamery_pytest`. pytest 4.6 to 9."""

import os

import pytest
from creamery_record import Owner, canonical, clipped, register_dump, sink, tell_imported, text_of, wanted_ids

RANK = {"skipped": 1, "passed": 2, "xfailed": 3, "xpassed": 4, "failed": 5, "error": 6}


def outcome_of(report):
    """What one report of one phase says of its test; None when nothing."""
    if report.outcome == "rerun":
        return None
    if report.when != "call":
        if report.failed:
            return "error"
        if report.skipped:
            return "xfailed" if hasattr(report, "wasxfail") else "skipped"
        return None
    if report.failed:
        return "failed"
    if report.skipped:
        return "xfailed" if hasattr(report, "wasxfail") else "skipped"
    return "xpassed" if hasattr(report, "wasxfail") else "passed"


def message_of(report):
    longrepr = getattr(report, "longrepr", None)
    if longrepr is None:
        return u""
    if report.skipped and isinstance(longrepr, tuple) and len(longrepr) == 3:
        return clipped(longrepr[2])
    try:
        return clipped(report.longreprtext)
    except Exception:
        return clipped(longrepr)


class Test(object):
    def __init__(self):
        self.outcome = None
        self.seconds = 0.0
        self.message = u""


class Recorder(object):
    def __init__(self):
        self.tests = {}
        self.count = 0
        self.nodes = {}
        self.pid = os.getpid()

    def send(self, event, hold=False):
        # A test that forks and lets its child run on: what the child repeats is not the run's.
        if os.getpid() == self.pid:
            sink.send(event, hold=hold)

    def add(self, report):
        test = self.tests.get(report.nodeid)
        if test is None:
            test = self.tests[report.nodeid] = Test()
        if report.outcome == "rerun":
            # A plugin runs it once more: what counts is the last run.
            self.tests[report.nodeid] = Test()
            return
        test.seconds += getattr(report, "duration", 0.0) or 0.0
        outcome = outcome_of(report)
        if outcome is None:
            return
        if outcome == "passed" and test.outcome == "skipped":
            test.outcome = outcome
        if RANK[outcome] > RANK.get(test.outcome, 0):
            test.outcome = outcome
            test.message = message_of(report) if outcome != "passed" else u""

    def finish(self, nodeid):
        test = self.tests.pop(nodeid, None)
        if test is None or test.outcome is None:
            return
        self.result(nodeid, test.outcome, test.seconds, test.message)

    def result(self, nodeid, outcome, seconds, message, hold=True):
        event = {"e": "result", "id": canonical(nodeid), "o": outcome, "s": round(seconds, 5)}
        if message:
            event["m"] = message
        self.count += 1
        self.send(event, hold=hold)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session):
        self.send({"e": "collected", "count": len(session.items)})

    def pytest_deselected(self, items):
        self.send({"e": "deselected", "count": len(items)})

    def pytest_collectreport(self, report):
        if report.failed:
            self.send({"e": "collect-error", "id": canonical(report.nodeid), "m": message_of(report)})
        elif report.skipped:
            self.send({"e": "collect-skip", "id": canonical(report.nodeid), "m": message_of(report)})

    def pytest_runtest_logstart(self, nodeid, location):
        # The result of the test before goes out in the same write.
        self.send({"e": "begin", "id": canonical(nodeid)})

    def pytest_runtest_logreport(self, report):
        self.add(report)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self, nodeid, location):
        self.finish(nodeid)

    def pytest_internalerror(self, excrepr):
        self.send({"e": "internal-error", "m": clipped(excrepr)})

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session, exitstatus):
        for nodeid in list(self.tests):
            self.finish(nodeid)
        tell_imported()
        stopped = getattr(session, "shouldstop", False) or getattr(session, "shouldfail", False)
        self.send(
            {
                "e": "finish",
                "exit": int(exitstatus),
                "results": self.count,
                "stopped": clipped(stopped)[:300] if stopped else u"",
            }
        )

    # Under xdist the workers collect, and the controller hears of it here.
    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node, ids):
        if not self.nodes:
            self.send({"e": "collected", "count": len(ids)})
        self.nodes[id(node)] = True

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node, error):
        deselected = getattr(node, "workeroutput", {}).get("creamery_deselected", 0)
        if deselected and not getattr(self, "told", False):
            self.told = True
            self.send({"e": "deselected", "count": deselected})


class Only(object):
    def __init__(self, wanted):
        self.wanted = wanted

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, session, config, items):
        items[:] = [item for item in items if canonical(item.nodeid) in self.wanted]


class Worker(object):
    """In a worker of xdist: only what the controller can't know."""

    def __init__(self, config):
        self.config = config
        self.deselected = 0

    def pytest_deselected(self, items):
        self.deselected += len(items)

    def pytest_sessionfinish(self, session):
        tell_imported()
        self.config.workeroutput["creamery_deselected"] = self.deselected


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    worker = hasattr(config, "workerinput")
    if not worker and not Owner.take("pytest"):
        return
    if getattr(Owner, "config", None) is not None and not worker:
        # A pytest inside of this pytest (pytester): not ours to report.
        return
    Owner.config = config
    # A suite that stops at its first failure tells less than it knows.
    if getattr(config.option, "maxfail", 0):
        config.option.maxfail = 0
    wanted = wanted_ids()
    if wanted is not None:
        config.pluginmanager.register(Only(wanted), "creamery-only")
    if worker:
        config.pluginmanager.register(Worker(config), "creamery-worker")
        return
    register_dump()
    config.pluginmanager.register(Recorder(), "creamery-recorder")
    sink.send({"e": "start", "runner": "pytest", "version": text_of(pytest.__version__)})
