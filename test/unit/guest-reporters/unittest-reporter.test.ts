import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reportFromEvents } from "../../../src/model/test-report.ts";
import { GUEST, record } from "./event-pipe.ts";

const SUITE = `
import unittest
class Outcomes(unittest.TestCase):
    def test_ok(self): pass
    def test_bad(self): self.assertEqual(1, 2)
    def test_err(self): raise ValueError("boom")
    @unittest.skip("why")
    def test_skip(self): pass
    @unittest.expectedFailure
    def test_xfail(self): self.fail()
    @unittest.expectedFailure
    def test_xpass(self): pass
    def test_sub(self):
        for i in range(3):
            with self.subTest(i=i): self.assertNotEqual(i, 1)
class Broken(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise RuntimeError("no class")
    def test_1(self): pass
    def test_2(self): pass
`;
const EXPECTED = {
  ok: "passed",
  bad: "failed",
  err: "error",
  skip: "skipped",
  xfail: "xfailed",
  xpass: "xpassed",
  sub: "failed",
};

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "creamery-unittest-"));
  await mkdir(join(directory, "tests"));
  await writeFile(join(directory, "tests", "test_suite.py"), SUITE);
  await writeFile(
    join(directory, "tests", "test_import.py"),
    "import a_module_that_is_not_there\n",
  );
  await writeFile(
    join(directory, "passing.py"),
    "import unittest\nclass T(unittest.TestCase):\n  def test_a(self): pass\n  def test_b(self): pass\n",
  );
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const reporting = { PYTHONPATH: join(GUEST, "report") };
const injecting = { PYTHONPATH: join(GUEST, "inject"), CREAMERY_RECORD: "1" };
const outcomes = (lines: readonly string[], code: number | null) =>
  Object.fromEntries(
    reportFromEvents(lines, code).results.map(({ id, outcome }) => [
      id.replace(/^.*test_/u, ""),
      outcome,
    ]),
  );

describe("python -m creamery_unittest", () => {
  it("is unittest, and tells every outcome", async () => {
    const { code, lines, output } = await record(
      ["python3", "-m", "creamery_unittest", "discover", "-s", "tests"],
      { cwd: directory, env: reporting },
    );
    expect(code).toBe(1);
    expect(output).toContain("Ran 8 tests");
    expect(outcomes(lines, code)).toEqual({
      ...EXPECTED,
      "suite.Broken)": "error",
    });
    const report = reportFromEvents(lines, code);
    expect(report).toMatchObject({ complete: true, contradictions: [] });
    expect(report.collectionErrors[0]?.message).toContain(
      "No module named 'a_module_that_is_not_there'",
    );
    expect(report.results.find(({ id }) => id.endsWith("test_err"))?.message).toContain(
      "ValueError: boom",
    );
  });

  it("runs only the ids it is given, and all of them in spite of --failfast", async () => {
    await writeFile(
      join(directory, "ids"),
      "test_suite.Outcomes.test_bad\ntest_suite.Outcomes.test_ok#2\n",
    );
    const env = { ...reporting, CREAMERY_ONLY_IDS: join(directory, "ids") };
    const { code, lines } = await record(
      [
        "python3",
        "-m",
        "creamery_unittest",
        "discover",
        "-f",
        "-s",
        "tests",
        "-p",
        "test_suite.py",
      ],
      { cwd: directory, env },
    );
    expect(outcomes(lines, code)).toEqual({ bad: "failed", ok: "passed" });
  });
});

describe("the injected observer", () => {
  const run = async (script: string, env: Record<string, string> = injecting) => {
    await writeFile(join(directory, "runner.py"), script);
    return record(["python3", "runner.py"], { cwd: directory, env });
  };

  it("records a runner of the project's own, even one whose result tells its base nothing and that always exits 0", async () => {
    const { code, lines } = await run(
      [
        "import sys, unittest; sys.path.insert(0, 'tests'); import test_suite",
        "class Own(unittest.TestResult):",
        "    def addFailure(self, test, err): self.failures.append((test, 'x'))",
        "    def addSuccess(self, test): pass",
        "unittest.defaultTestLoader.loadTestsFromTestCase(test_suite.Outcomes).run(Own())",
      ].join("\n"),
    );
    expect(code).toBe(0);
    expect(outcomes(lines, code)).toEqual(EXPECTED);
    expect(reportFromEvents(lines, code).contradictions).toEqual([
      "the runner exited with 0 although 3 failed",
    ]);
  });

  it("takes a test of a test runner for one test, whichever way it runs its inner tests", async () => {
    const { code, lines } = await run(
      [
        "import unittest, subprocess, sys",
        "class Outer(unittest.TestCase):",
        "    def test_inner(self):",
        "        class In(unittest.TestCase):",
        "            def test_in(self): self.fail()",
        "        result = unittest.TestResult(); In('test_in').run(result); self.assertTrue(result.failures)",
        "    def test_process(self): subprocess.check_call([sys.executable, '-m', 'unittest', 'passing'])",
        "unittest.main()",
      ].join("\n"),
    );
    expect(outcomes(lines, code)).toEqual({ inner: "passed", process: "passed" });
    expect(reportFromEvents(lines, code)).toMatchObject({ complete: true, contradictions: [] });
  });

  it("records what a runner's child processes run where the runner itself runs nothing", async () => {
    const { code, lines } = await run(
      "import subprocess, sys\nfor i in range(2): subprocess.check_call([sys.executable, '-m', 'unittest', 'passing'])",
    );
    expect(reportFromEvents(lines, code)).toMatchObject({
      counts: { passed: 4 },
      complete: true,
      contradictions: [],
    });
  });

  it.each([
    [
      "os._exit(0) in a test",
      "import os, unittest\nclass T(unittest.TestCase):\n  def test_a(self): os._exit(0)\nunittest.main()",
    ],
    [
      "os._exit(0) after the tests",
      "import os, unittest, passing\nunittest.main('passing', exit=False)\nos._exit(0)",
    ],
    [
      "sys.exit(0) in the middle",
      "import sys, unittest\nclass R(unittest.TextTestResult):\n  def startTest(self, t):\n    super().startTest(t); sys.exit(0)\nimport passing\nunittest.main('passing', testRunner=unittest.TextTestRunner(resultclass=R))",
    ],
  ])("leaves a report that is not complete after %s", async (_, script) => {
    const { code, lines } = await run(script);
    expect(code).toBe(0);
    expect(reportFromEvents(lines, code).complete).toBe(false);
  });

  it("tells of attempts to write elsewhere and to connect, once each", async () => {
    const script = [
      "import os, socket",
      "def attempt(what):",
      "    try: what()",
      "    except Exception: pass",
      "for _ in range(3): attempt(lambda: os.mkdir('/no-such-directory-of-ours/x'))",
      "attempt(lambda: open('/no-such-directory-of-ours/passwd', 'a'))",
      "attempt(lambda: open('/no-such-directory-of-ours/passwd'))",
      "open('/tmp/../tmp/creamery-audit-' + str(os.getpid()), 'w').close(); os.remove('/tmp/creamery-audit-' + str(os.getpid()))",
      "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); attempt(lambda: s.connect(('127.0.0.1', 9)))",
      "class Refusing(socket.socket): pass",
      "s = socket.socket(); s.settimeout(0.01); attempt(lambda: s.connect(('192.0.2.1', 80)))",
    ].join("\n");
    const { lines } = await run(script, { PYTHONPATH: join(GUEST, "inject"), CREAMERY_AUDIT: "1" });
    const attempts = lines.map((line): unknown => JSON.parse(line));
    expect(attempts).toMatchObject([
      { e: "attempt", kind: "write", path: "/no-such-directory-of-ours/x" },
      { e: "attempt", kind: "write", path: "/no-such-directory-of-ours/passwd" },
      { e: "attempt", kind: "connect", target: "192.0.2.1:80" },
    ]);
  });

  it("lets the sitecustomize that it hides have its say, and does nothing that nobody asked for", async () => {
    await mkdir(join(directory, "theirs"), { recursive: true });
    await writeFile(
      join(directory, "theirs", "sitecustomize.py"),
      "import sys; sys.theirs = True\n",
    );
    const env = { PYTHONPATH: `${join(GUEST, "inject")}:${join(directory, "theirs")}` };
    const { output, lines } = await run(
      "import sys; print(sys.theirs, 'creamery_record' in sys.modules, 'Finder' in [type(f).__name__ for f in sys.meta_path])",
      env,
    );
    expect(output).toMatch(/^True False False$/mu);
    expect(lines).toEqual([]);
  });
});
