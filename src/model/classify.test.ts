import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";

import type { TestOutcome, TestReport } from "./attempt.ts";
import { classify, isExcluded } from "./classify.ts";
import type {
  AttemptEvidence,
  CounterEvidence,
  StepEvidence,
  TestRunEvidence,
} from "./evidence.ts";
import { sampleEvidence, sampleReport, sampleRun, sampleStep } from "./evidence.sample.ts";
import { formatCause } from "./result-words.ts";

const samples = z
  .record(z.string(), z.string())
  .parse(
    JSON.parse(
      readFileSync(new URL("./causes/installer-outputs.sample.json", import.meta.url), "utf8"),
    ),
  );

/** `phase outcome cause`, on one line. */
function verdictOf(change: Partial<AttemptEvidence>): string {
  const { phase, outcome, cause } = classify(sampleEvidence(change));
  return `${phase} ${outcome} ${cause === null ? "-" : formatCause(cause)}`;
}

function ofRun(change: Partial<TestRunEvidence>, more: Partial<AttemptEvidence> = {}): string {
  return verdictOf({ ...more, tests: { best: sampleRun(change), failedStep: null } });
}

const counters = (change: Partial<CounterEvidence>): CounterEvidence => ({
  oomKills: 0,
  pidsRefused: 0,
  diskFull: false,
  cpuSeconds: 1,
  ...change,
});
const failed = (message: string, more: TestOutcome[] = []) => ({
  result: sampleStep({ code: 1 }),
  report: sampleReport(["failed", ...more], {}, message),
});

describe("a pass", () => {
  test("is exit 0 with a whole report of tests that ran", () =>
    expect(ofRun({})).toBe("test pass -"));

  test.each<[string, Partial<TestRunEvidence>, string]>([
    ["exit 1 and no failure", { result: sampleStep({ code: 1 }) }, "test error test-error"],
    [
      "a report that was cut",
      { report: sampleReport(["passed"], { complete: false }) },
      "test error test-error",
    ],
    [
      "a contradicted report",
      { report: sampleReport(["passed"], { contradictions: ["x"] }) },
      "test error test-error",
    ],
    [
      "parsed counts alone",
      { report: sampleReport(["passed"], { origin: "parsed" }) },
      "test error test-error",
    ],
    [
      "no report at all",
      {
        report: sampleReport([], {
          complete: false,
          contradictions: ["no runner reported anything"],
        }),
      },
      "test error test-error",
    ],
    ["nothing run", { report: sampleReport([]) }, "discover skip no-tests"],
    [
      "a source that lacks what its tests import",
      { result: sampleStep({ code: 5 }), report: sampleReport([]), lackingFiles: ["tests/base"] },
      "discover skip tests-not-in-sdist",
    ],
    ["everything skipped", { report: sampleReport(["skipped"]) }, "discover skip no-tests"],
    [
      "exit 0 with a failure",
      { report: sampleReport(["passed", "failed"]), runner: "custom" },
      "test fail test-failure",
    ],
    ["exit 0 with an error", { report: sampleReport(["passed", "error"]) }, "test fail test-error"],
    [
      "exit 0 with a module that was not collected",
      {
        report: sampleReport(["passed"], {
          collectionErrors: [{ id: "a", message: "ValueError: no" }],
        }),
      },
      "test error collection-error",
    ],
  ])("is not %s", (_what, run, verdict) => expect(ofRun(run)).toBe(verdict));

  test("is never made of a report that is cut, contradicted, parsed or empty, whatever else is so", () => {
    const outcome = fc.constantFrom<TestOutcome>(
      "passed",
      "failed",
      "error",
      "skipped",
      "xfailed",
      "xpassed",
    );
    const report = fc
      .record({
        outcomes: fc.array(outcome, { maxLength: 4 }),
        complete: fc.boolean(),
        contradictions: fc.array(fc.constant("x"), { maxLength: 1 }),
        origin: fc.constantFrom<TestReport["origin"]>("recorded", "parsed"),
        collectionErrors: fc.array(fc.constant({ id: "a", message: "b" }), { maxLength: 1 }),
      })
      .map(({ outcomes, ...rest }) => sampleReport(outcomes, rest));
    const result = fc.record({
      phase: fc.constant<"test">("test"),
      code: fc.constantFrom(0, 0, 0, 1, 2, 5, null),
      signal: fc.constantFrom(null, null, "SIGSEGV"),
      limit: fc.constantFrom<StepEvidence["limit"]>(null, null, "timeout"),
      text: fc.constantFrom("", "5 passed in 0.1s"),
    });
    const runner = fc.constantFrom<TestRunEvidence["runner"]>("pytest", "unittest", "custom");
    fc.assert(
      fc.property(fc.record({ runner, result, report, lackingFiles: fc.constant([]) }), (run) => {
        const verdict = classify(sampleEvidence({ tests: { best: run, failedStep: null } }));
        const { counts, complete, contradictions, origin, collectionErrors } = run.report;
        const honest =
          run.result.code === 0 &&
          run.result.limit === null &&
          run.result.signal === null &&
          complete &&
          contradictions.length === 0 &&
          origin === "recorded" &&
          collectionErrors.length === 0 &&
          counts.failed + counts.errors === 0 &&
          counts.collected > counts.skipped;
        expect(verdict.outcome === "pass").toBe(honest);
        expect(verdict.cause === null).toBe(honest);
      }),
      { seed: 7, numRuns: 2000 },
    );
  });
});

describe("tests that do not pass", () => {
  test.each<[string, Partial<TestRunEvidence>, string]>([
    ["an assertion", failed("AssertionError: 1 != 2"), "test fail test-failure"],
    [
      "a name that does not resolve",
      failed("socket.gaierror: [Errno -3] Temporary failure in name resolution"),
      "test fail needs-network",
    ],
    [
      "no database",
      failed(
        'connection to server at "localhost" (127.0.0.1), port 5432 failed: Connection refused',
      ),
      "test fail needs-service",
    ],
    [
      "no display",
      failed("_tkinter.TclError: no display name and no $DISPLAY environment variable"),
      "test fail needs-display",
    ],
    [
      "no GPU",
      failed("RuntimeError: Found no NVIDIA driver on your system"),
      "test fail needs-gpu",
    ],
    [
      "what the library lost",
      failed("AttributeError: module 'unittest' has no attribute 'makeSuite'"),
      "test fail removed-api(unittest.makeSuite)",
    ],
    [
      "what a class lost",
      failed("AttributeError: 'TestX' object has no attribute 'assertEquals'"),
      "test fail test-failure",
    ],
    [
      "pytest's usage error",
      {
        result: sampleStep({
          code: 4,
          text: "ERROR: usage: pytest\nerror: unrecognized arguments: --foo",
        }),
        report: sampleReport([]),
      },
      "test error test-error",
    ],
    [
      "pytest's internal error after failures",
      { result: sampleStep({ code: 3 }), report: sampleReport(["failed"]) },
      "test error test-error",
    ],
    [
      "pytest's exit 5",
      {
        result: sampleStep({ code: 5 }),
        report: sampleReport([], { contradictions: ["exited with 5 although nothing failed"] }),
      },
      "discover skip no-tests",
    ],
    [
      "a conftest that can't be imported",
      {
        result: sampleStep({
          code: 4,
          text: "ImportError while loading conftest '/job/src/tests/conftest.py'.\ntests/conftest.py:1: in <module>\n    import yaml\nE   ModuleNotFoundError: No module named 'yaml'",
        }),
        report: sampleReport([]),
      },
      "test error missing-dependency-declaration(yaml)",
    ],
  ])("for %s", (_what, run, verdict) => expect(ofRun(run)).toBe(verdict));

  test("need all to name the network before it is blamed", () => {
    const report = sampleReport(["failed", "failed"], {}, "gaierror: x");
    const results = report.results.map((result, index) =>
      index === 0 ? result : { ...result, message: "AssertionError" },
    );
    expect(ofRun({ result: sampleStep({ code: 1 }), report: { ...report, results } })).toBe(
      "test fail test-failure",
    );
  });

  test("may name what was refused in their own words", () => {
    const refused = [{ target: "files.example:443", kind: "connect" as const, count: 3 }];
    expect(ofRun(failed("DownloadFailed: could not get files.example/x.bin"), { refused })).toBe(
      "test fail needs-network",
    );
    expect(ofRun(failed("DownloadFailed: could not get files.example/x.bin"))).toBe(
      "test fail test-failure",
    );
  });

  test.each([
    ["ModuleNotFoundError: No module named 'imp'", "test error removed-api(imp)"],
    ["E   SyntaxError: invalid syntax", "test error syntax"],
    [
      "ModuleNotFoundError: No module named 'hypothesis'",
      "test error missing-dependency-declaration(hypothesis)",
    ],
    ["RuntimeError: not here", "test error collection-error"],
  ])("for a module that is not collected: %s", (message, verdict) => {
    const report = sampleReport([], {
      collectionErrors: [{ id: "tests/test_a.py", message }],
      complete: false,
    });
    expect(ofRun({ result: sampleStep({ code: 2 }), report })).toBe(verdict);
  });
});

describe("ends", () => {
  const cut = sampleReport(["passed"], { complete: false });
  const waiting =
    'Thread 0x00007f01 (most recent call first):\n  File "/usr/lib/python3.13/queue.py", line 171 in get\n  File "a.py", line 4 in work\n\nCurrent thread 0x00007f00 (most recent call first):\n  File "/usr/lib/python3.13/threading.py", line 1012 in join\n';
  const busy =
    'Current thread 0x00007f00 (most recent call first):\n  File "/job/src/tests/test_a.py", line 4 in spin\n';

  test.each<[string, Partial<StepEvidence>, CounterEvidence, string]>([
    [
      "a busy hang",
      { code: null, signal: "SIGKILL", limit: "timeout", text: busy },
      counters({}),
      "test killed timeout",
    ],
    [
      "threads that wait for each other",
      { code: null, signal: "SIGKILL", limit: "timeout", text: waiting },
      counters({}),
      "test killed deadlock",
    ],
    [
      "one that waits and one that works",
      { code: null, limit: "timeout", text: waiting + busy },
      counters({}),
      "test killed timeout",
    ],
    ["silence", { code: null, limit: "silent" }, counters({}), "test killed silent"],
    ["a flood", { code: null, limit: "log-size" }, counters({}), "test killed log-size"],
    ["memory", { code: null, signal: "SIGKILL" }, counters({ oomKills: 1 }), "test killed oom"],
    ["memory with exit 1", { code: 1 }, counters({ oomKills: 1 }), "test killed oom"],
    [
      "a kill without a counter",
      { code: null, signal: "SIGKILL" },
      counters({}),
      "test crash abort",
    ],
    [
      "processes",
      { code: 1, text: "BlockingIOError: [Errno 11] Resource temporarily unavailable" },
      counters({ pidsRefused: 9 }),
      "test killed pids",
    ],
    [
      "the words without the counter",
      { code: 1, text: "BlockingIOError: [Errno 11] Resource temporarily unavailable" },
      counters({}),
      "test error test-error",
    ],
    [
      "a full disk",
      { code: 1, text: "OSError: [Errno 28] No space left on device" },
      counters({ diskFull: true }),
      "test killed disk",
    ],
    [
      "SIGSEGV",
      { code: null, signal: "SIGSEGV", text: "Fatal Python error: Segmentation fault" },
      counters({}),
      "test crash segfault",
    ],
    ["SIGSEGV below a shell", { code: 139 }, counters({}), "test crash segfault"],
    [
      "SIGABRT",
      { code: null, signal: "SIGABRT", text: "Fatal Python error: Aborted" },
      counters({}),
      "test crash abort",
    ],
    [
      "a C assertion",
      { code: null, signal: "SIGABRT", text: "python: foo.c:12: f: Assertion `x > 0' failed." },
      counters({}),
      "test crash assertion",
    ],
    [
      "a crashed worker of xdist",
      {
        code: 1,
        text: "Fatal Python error: Segmentation fault\n[gw0] node down\nworker 'gw0' crashed while running",
      },
      counters({}),
      "test crash segfault",
    ],
  ])("by %s", (_what, step, seen, verdict) => {
    expect(ofRun({ result: sampleStep(step), report: cut }, { counters: seen })).toBe(verdict);
  });

  test("counters alone take no pass away", () => {
    expect(ofRun({}, { counters: counters({ oomKills: 1, pidsRefused: 1, diskFull: true }) })).toBe(
      "test pass -",
    );
  });

  test("what a package ate is not the farm's fault when the agent goes with it", () => {
    const farmFault = { code: "agent-lost" as const, reason: "gone" };
    expect(verdictOf({ farmFault })).toBe("test error agent-lost");
    expect(verdictOf({ farmFault, counters: counters({ oomKills: 1 }) })).toBe("test killed oom");
    expect(verdictOf({ farmFault, counters: counters({ pidsRefused: 1 }) })).toBe(
      "test killed pids",
    );
    expect(verdictOf({ farmFault, counters: counters({ cpuSeconds: 601 }) })).toBe(
      "test killed timeout",
    );
  });
});

describe("before the tests", () => {
  const failedStep = (text: string, change: Partial<StepEvidence> = {}) => ({
    failedStep: sampleStep({ phase: "install", code: 1, text, ...change }),
    tests: null,
    discovery: null,
    smoke: null,
  });

  test.each<[string, Partial<AttemptEvidence>, string]>([
    ["the farm's index", failedStep(samples["uv-down"] ?? ""), "install error index-mirror"],
    ["pip without an index", failedStep(samples["pip-down"] ?? ""), "install error index-mirror"],
    [
      "an index that failed on the host's side",
      { ...failedStep(samples["uv-needsnone"] ?? ""), indexFaults: ["500"] },
      "install error index-mirror",
    ],
    [
      "a dependency nobody has",
      failedStep(samples["uv-needsnone"] ?? ""),
      "resolve fail no-distribution(nosuchdist)",
    ],
    [
      "a dependency that does not build",
      failedStep(samples["uv-dep-on-bkfail"] ?? ""),
      "install fail dependency-build(bkfail)",
    ],
    [
      "a build",
      failedStep(samples["uvb-hdr"] ?? "", { phase: "build" }),
      "build fail missing-system-library(nosuchlib/foo.h)",
    ],
    [
      "Requires-Python that only the files say",
      { ...failedStep(samples["uv-rp"] ?? ""), project: "rp", requiresPython: null },
      "resolve skip requires-python",
    ],
    [
      "Requires-Python as pip words it",
      { ...failedStep(samples["pip-rp"] ?? ""), project: "rp", requiresPython: null },
      "resolve skip requires-python",
    ],
    [
      "Requires-Python of a dependency",
      { ...failedStep(samples["uv-rp"] ?? ""), project: "mine" },
      "resolve fail unresolvable",
    ],
    [
      "Requires-Python of a local wheel, as uv words it",
      {
        ...failedStep(
          "  × No solution found when resolving dependencies:\n  ╰─▶ Because the current Python version (3.13.5) does not satisfy\n      Python>=3.99 and rp==1.0 depends on Python>=3.99, we can conclude that\n      rp==1.0 cannot be used.\n",
        ),
        project: "rp",
        requiresPython: null,
      },
      "resolve skip requires-python",
    ],
    [
      "a setup.py that only says so, as uv build lets it through",
      {
        ...failedStep(
          "error: No solution found\n  cause: Because mine==1.0 requires Python >=9\nerror: Failed to build `/job/build`\n  cause: The build backend returned an error\n",
          { phase: "build" },
        ),
        requiresPython: null,
      },
      "build fail build-backend(setuptools.build_meta)",
    ],
    [
      "one that says so below uv's own words",
      {
        ...failedStep(
          "error: Failed to build `mine==1.0`\n  cause: The build backend returned an error\n         Because mine==1.0 requires Python >=9\n",
        ),
        requiresPython: null,
      },
      "build fail build-backend(setuptools.build_meta)",
    ],
    [
      "a release whose own word is that it fits",
      {
        ...failedStep(samples["pip-rp"] ?? ""),
        project: "rp",
        requiresPython: ">=3.9",
      },
      "resolve fail unresolvable",
    ],
    [
      "an egg_info that prints what an index's failure looks like",
      failedStep(
        "Collecting mine==1.0\n  error: subprocess-exited-with-error\n  ╰─> [1 lines of output]\n      ERROR: NewConnectionError\n      [end of output]\nerror: metadata-generation-failed\n\n× Encountered error while generating package metadata.\n",
      ),
      "build fail build-backend(setuptools.build_meta)",
    ],
    [
      "the same by an older pip",
      failedStep(
        "Collecting mine==1.0\n    ERROR: Command errored out with exit status 1:\n    Complete output (1 lines):\nERROR: NewConnectionError\nERROR: Command errored out with exit status 1: python setup.py egg_info Check the logs for full command output.\n",
      ),
      "build fail build-backend(setuptools.build_meta)",
    ],
    [
      "an index that failed below pip's own second process",
      failedStep(
        "Collecting mine==1.0\n  error: subprocess-exited-with-error\n  ╰─> [1 lines of output]\n      WARNING: Retrying after connection broken by 'NewConnectionError'\n      [end of output]\nerror: subprocess-exited-with-error\n\n× pip subprocess to install build dependencies did not run successfully.\n",
      ),
      "install error index-mirror",
    ],
    [
      "words of a build hook before uv's last error",
      failedStep(
        "error: Failed to fetch: http://x/\nerror: No solution found when resolving dependencies\n  cause: Because nosuch was not found in the package registry\n",
        { phase: "build" },
      ),
      "build fail build-backend(setuptools.build_meta)",
    ],
    [
      "an index's fault while a backend failed",
      { ...failedStep(samples["pip-bkfail"] ?? ""), project: "bkfail", indexFaults: ["500"] },
      "build fail build-backend(setuptools.build_meta)",
    ],
    [
      "a source that can't be unpacked",
      failedStep("EOFError: Compressed file ended", { phase: "fetch" }),
      "fetch fail no-distribution(mine)",
    ],
    [
      "a build that hangs",
      failedStep("", { phase: "build", limit: "timeout" }),
      "build killed timeout",
    ],
    [
      "a compiler that ate the memory",
      {
        ...failedStep("c++: fatal error: Killed signal terminated program cc1plus", {
          phase: "build",
        }),
        counters: counters({ oomKills: 1 }),
      },
      "build killed oom",
    ],
    [
      "an index that speaks no HTTP",
      { farmFault: { code: "upstream", reason: "x" }, phase: "resolve" },
      "resolve error index-mirror",
    ],
    ["a bad image", { farmFault: { code: "image-bad", reason: "x" } }, "test error image-bad"],
  ])("%s", (_what, change, verdict) => expect(verdictOf(change)).toBe(verdict));

  test("requires-python skips without anything having run", () => {
    expect(classify(sampleEvidence({ requiresPython: ">=3.14", tests: null }))).toEqual({
      phase: "resolve",
      outcome: "skip",
      cause: { kind: "requires-python" },
      confidence: { kind: "inferred" },
    });
  });

  test.each([
    [">=3.15", "3.15.0b1", false],
    [">=3.15", "3.14.2+", true],
    ["<3", "2.7.18", false],
    ["nonsense", "3.13.5", false],
    [null, "3.13.5", false],
  ])("%s on %s excludes: %s", (bounds, version, excluded) =>
    expect(isExcluded(bounds, version)).toBe(excluded),
  );

  test("no tests is a skip, whatever the smoke says", () => {
    const smoke = { ok: false, failures: [] };
    expect(
      verdictOf({
        tests: null,
        smoke,
        discovery: { kind: "smoke-only", cause: "tests-not-in-sdist" },
      }),
    ).toBe("discover skip tests-not-in-sdist");
  });

  test("a job that asked for no tests is a skip that says so, unless nothing of it can be imported", () => {
    const discovery = { kind: "smoke-only", cause: "smoke-only" } as const;
    expect(verdictOf({ tests: null, discovery, smoke: { ok: true, failures: [] } })).toBe(
      "discover skip smoke-only",
    );
    expect(
      verdictOf({
        tests: null,
        discovery,
        smoke: {
          ok: false,
          failures: [{ what: "import", name: "mine", top: true, text: "ValueError: no" }],
        },
      }),
    ).toBe("import fail import-error");
  });

  test.each([
    [
      "ModuleNotFoundError: No module named 'yaml'",
      "import fail missing-dependency-declaration(yaml)",
    ],
    ["importing it ended by signal 11", "import crash segfault"],
    ["importing it took too long", "import killed timeout"],
    ["ValueError: no", "import fail import-error"],
  ])("a release whose own module can't be imported: %s", (text, verdict) => {
    const smoke = {
      ok: false,
      failures: [{ what: "import" as const, name: "mine", top: true, text }],
    };
    const broken = { result: sampleStep({ code: 1 }), report: sampleReport(["error"]) };
    expect(ofRun(broken, { smoke })).toBe(verdict);
  });

  const broken = (text: string, name = "mine") => ({
    ok: false,
    failures: [{ what: "import" as const, name, top: true, text }],
  });
  const lacks = "ModuleNotFoundError: No module named 'yaml'";
  const undeclared = "import fail missing-dependency-declaration(yaml)";

  test("no tests make no skip of a release that can't be imported", () => {
    const discovery = { kind: "smoke-only", cause: "no-tests" } as const;
    expect(verdictOf({ tests: null, discovery, smoke: broken("ValueError: no") })).toBe(
      "import fail import-error",
    );
    expect(ofRun({ report: sampleReport(["skipped"]) }, { smoke: broken(lacks) })).toBe(undeclared);
  });

  test("tests that pass make no pass of a release that nobody can import", () => {
    expect(ofRun({}, { smoke: broken(lacks) })).toBe(undeclared);
    expect(ofRun({}, { smoke: broken("importing it ended by signal 11") })).toBe(
      "import crash segfault",
    );
    const several = { project: "my-project", topLevel: ["My_Project", "other", "_own", "tests"] };
    expect(ofRun({}, { ...several, smoke: broken(lacks, "My_Project") })).toBe(undeclared);
    const only = { project: "pyyaml", topLevel: ["yaml", "_yaml"] };
    expect(ofRun({}, { ...only, smoke: broken("ImportError: no", "yaml") })).toBe(
      "import fail import-error",
    );
  });

  test.each([
    ["another module is broken", broken(lacks, "other")],
    ["it asks for settings", broken("django.core.exceptions.ImproperlyConfigured: settings")],
    ["it asks for a display", broken("Xlib.error: couldn't connect to display")],
    ["it took its time", broken("importing it took too long")],
  ])("a pass stays one where %s", (_why, smoke) => {
    expect(ofRun({}, { smoke, topLevel: ["mine", "other"] })).toBe("test pass -");
  });

  test("what the tests need can't be had", () => {
    const step = sampleStep({ phase: "install", code: 1, text: samples["uv-needsnone"] ?? "" });
    expect(verdictOf({ tests: { best: null, failedStep: step } })).toBe(
      "install fail no-distribution(nosuchdist)",
    );
  });

  test("nothing run and no reason is the farm's, never a pass", () => {
    expect(verdictOf({ tests: null })).toBe("test error host");
  });
});
