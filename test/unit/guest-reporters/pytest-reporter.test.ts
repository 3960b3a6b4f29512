import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reportFromEvents } from "../../../src/model/test-report.ts";
import { GUEST, record } from "./event-pipe.ts";

const SUITE = String.raw`
import pytest, unittest
def test_ok(): pass
def test_bad(): assert 1 == 2
@pytest.mark.skip(reason="why")
def test_skip(): pass
@pytest.mark.xfail
def test_xfail(): assert 0
@pytest.mark.xfail
def test_xpass(): pass
@pytest.fixture
def bad(): raise RuntimeError("set-up")
@pytest.fixture
def ends_badly():
    yield
    raise RuntimeError("tear-down")
def test_setup(bad): pass
def test_teardown(ends_badly): pass
@pytest.mark.parametrize("x", [pytest.param(1, id="\u001b[31m\u202e"), pytest.param(2, id="a" * 900), pytest.param(3, id="two\nlines")])
def test_ids(x): pass
class TestSub(unittest.TestCase):
    def test_sub(self):
        for i in range(3):
            with self.subTest(i=i): self.assertNotEqual(i, 1)
def test_output(): print('{"e":"finish","results":0,"stopped":"","pid":1}')
`;
const EXPECTED = [
  "passed",
  "failed",
  "skipped",
  "xfailed",
  "xpassed",
  "error",
  "error",
  "passed",
  "passed",
  "passed",
  "failed",
  "passed",
];

let directory: string;
let env: Record<string, string>;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "creamery-pytest-"));
  const site = join(directory, "site");
  // pytest comes by the host's own pip, from the index it is configured to use, and is the same whatever was released since.
  const pip = [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--target",
    site,
    'pytest==9.2.0; python_version >= "3.10"',
    'pytest==8.4.2; python_version < "3.10"',
    "pytest-xdist==3.8.0",
  ];
  await promisify(execFile)("python3", pip, { timeout: 170_000 });
  env = { PYTHONPATH: `${join(GUEST, "report")}:${site}` };
  await mkdir(join(directory, "tests"));
  await writeFile(join(directory, "tests", "test_suite.py"), SUITE);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const run = (...more: string[]) =>
  record(["python3", "-m", "pytest", "-p", "creamery_pytest", ...more], { cwd: directory, env });

describe("the pytest plugin", () => {
  it("tells every outcome under printable ids, in spite of -x and -p no:junitxml", async () => {
    const { code, lines, output } = await run("-x", "-p", "no:junitxml", "tests");
    const report = reportFromEvents(lines, code);
    expect(report, output).toMatchObject({ complete: true, contradictions: [] });
    expect(report.results.map(({ outcome }) => outcome)).toEqual(EXPECTED);
    expect(report.results[1]?.message).toContain("assert 1 == 2");
    for (const { id } of report.results)
      expect(id).toMatch(/^tests\/test_suite\.py::[\u0020-\u007e]{1,480}$/u);
    for (const line of lines) expect(line.length).toBeLessThan(4096);
  });

  it("leaves out what a forked child repeats that runs on", async () => {
    await writeFile(
      join(directory, "forks.py"),
      [
        "import os",
        "def test_fork():",
        "    if os.fork():",
        "        os.wait()",
        "def test_after(): pass",
      ].join("\n"),
    );
    const { code, lines, output } = await run("forks.py");
    expect(reportFromEvents(lines, code), output).toMatchObject({
      counts: { collected: 2, passed: 2 },
      complete: true,
      contradictions: [],
    });
  });

  it("says where the release's own modules were imported from", async () => {
    await mkdir(join(directory, "own"), { recursive: true });
    await writeFile(join(directory, "own", "__init__.py"), "");
    await writeFile(join(directory, "imports.py"), "import own\ndef test_it(): pass\n");
    const { code, lines } = await record(
      ["python3", "-m", "pytest", "-p", "creamery_pytest", "imports.py"],
      { cwd: directory, env: { ...env, CREAMERY_TOP_LEVEL: "own,absent" } },
    );
    expect(reportFromEvents(lines, code)).toMatchObject({
      complete: true,
      contradictions: [],
      imported: { own: [join(directory, "own", "__init__.py")] },
    });
  });

  it("tells the same when xdist's workers run the tests", async () => {
    const plain = reportFromEvents((await run("tests")).lines, 1);
    const { code, lines, output } = await run("-n", "2", "tests");
    const report = reportFromEvents(lines, code);
    expect(report, output).toMatchObject({
      complete: true,
      contradictions: [],
      counts: plain.counts,
    });
    expect(report.results.map(({ id }) => id).toSorted()).toEqual(
      plain.results.map(({ id }) => id).toSorted(),
    );
  });

  it.each([[[]], [["-n", "2"]]])("counts what is deselected (%j)", async (more: string[]) => {
    const { code, lines } = await run("-k", "test_ok or test_bad", ...more, "tests");
    expect(reportFromEvents(lines, code)).toMatchObject({
      complete: true,
      counts: { collected: 2, deselected: EXPECTED.length - 2 },
    });
  });

  it("runs only the ids it is given, strange ones too", async () => {
    const wanted = reportFromEvents((await run("tests")).lines, 1).results.filter(({ id }) =>
      /test_ids|test_bad/u.test(id),
    );
    await writeFile(join(directory, "ids"), wanted.map(({ id }) => id).join("\n"));
    const argv = ["python3", "-m", "pytest", "-p", "creamery_pytest", "tests"];
    const { code, lines } = await record(argv, {
      cwd: directory,
      env: { ...env, CREAMERY_ONLY_IDS: join(directory, "ids") },
    });
    const report = reportFromEvents(lines, code);
    expect(report.results.map(({ id }) => id)).toEqual(wanted.map(({ id }) => id));
    expect(report.counts.collected).toBe(4);
  });

  it("tells of modules that can't be collected", async () => {
    await mkdir(join(directory, "broken"), { recursive: true });
    await writeFile(join(directory, "broken", "test_x.py"), "import a_module_that_is_not_there\n");
    const { code, lines } = await run("broken");
    const report = reportFromEvents(lines, code);
    expect(code).toBe(2);
    expect(report.collectionErrors).toMatchObject([{ id: "broken/test_x.py" }]);
    expect(report.collectionErrors[0]?.message).toContain(
      "No module named 'a_module_that_is_not_there'",
    );
  });

  it.each([
    ["os._exit(0) in conftest", "import os\ndef pytest_sessionstart(session): os._exit(0)\n"],
    [
      "os._exit(0) between tests",
      "import os\ndef pytest_runtest_teardown(item):\n  if 'two' in item.name: os._exit(0)\n",
    ],
    [
      "pytest.exit in a test",
      "import pytest\ndef pytest_runtest_teardown(item):\n  if 'one' in item.name: pytest.exit('enough', returncode=0)\n",
    ],
  ])("leaves a report that is not complete after %s", async (name, conftest) => {
    const place = join(directory, name.replaceAll(/\W/gu, "_"));
    await mkdir(place);
    await writeFile(join(place, "conftest.py"), conftest);
    await writeFile(
      join(place, "test_x.py"),
      "def test_one(): pass\ndef test_two(): pass\ndef test_three(): pass\n",
    );
    const { code, lines } = await run(place);
    expect(code).toBe(0);
    expect(reportFromEvents(lines, code).complete).toBe(false);
  });

  it("keeps its pipe when a suite closes every descriptor or puts its own in their place", async () => {
    const place = join(directory, "descriptors");
    await mkdir(place);
    await writeFile(
      join(place, "test_x.py"),
      "import os\ndef test_one(): os.closerange(400, 600)\ndef test_two():\n  for fd in range(490, 520): os.dup2(os.open(os.devnull, os.O_RDONLY), fd)\ndef test_three(): pass\n",
    );
    const { code, lines, output } = await run(place);
    expect(reportFromEvents(lines, code), output).toMatchObject({
      counts: { passed: 3 },
      complete: true,
      contradictions: [],
    });
  });

  it("takes a pytest that a test starts for that test's own affair", async () => {
    const place = join(directory, "nested");
    await mkdir(place);
    await writeFile(join(place, "inner.py"), "def test_inner(): assert 0\n");
    await writeFile(
      join(place, "test_x.py"),
      "import pytest, subprocess, sys\ndef test_process():\n  assert subprocess.call([sys.executable, '-m', 'pytest', '-p', 'creamery_pytest', 'nested/inner.py']) == 1\ndef test_inline():\n  assert pytest.main(['-p', 'creamery_pytest', 'nested/inner.py']) == 1\n",
    );
    const { code, lines, output } = await run(place);
    expect(reportFromEvents(lines, code), output).toMatchObject({
      counts: { collected: 2, passed: 2 },
      complete: true,
      contradictions: [],
    });
  });
});
