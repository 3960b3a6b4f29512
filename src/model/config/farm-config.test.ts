import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import {
  limitsFor,
  parseConfigurationsFile,
  parseFarmConfig,
  parseOverrideFile,
} from "./farm-config.ts";
import { indexBounds } from "./index-table.ts";
import { DEFAULT_LIMITS, lowerLimits, withLimits } from "./limits.ts";
import { readProjectTable } from "./project-table.ts";

const parse = (text: string) => parseFarmConfig(text, "creamery.toml", ["cpython-3.13"]);

function lineOf(work: () => unknown): string {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof CreameryError && thrown.code === "configuration-file") return thrown.line;
    throw thrown;
  }
  return "nothing was thrown";
}

test("an empty file is the defaults", () => {
  const config = parse("");
  expect(config.limits).toEqual(DEFAULT_LIMITS);
  expect(config.limits).toMatchObject({
    installMs: 300_000,
    buildMs: 900_000,
    testMs: 600_000,
    silenceMs: 300_000,
  });
  expect(config.isolation).toEqual({ minimum: "container", confirm: true });
  expect(config.priority).toEqual(["cpython-3.13"]);
});

test("what the file says is in place", () => {
  const config = parse(`
    [limits]
    test_minutes = 20.5
    memory_mib = 512
    [directories]
    cache = "/srv/cache"
    [upstreams]
    index = "https://index.example/simple/"
    [configurations]
    priority = ["pypy-3.11"]
    [isolation]
    minimum = "gvisor"
    confirm = false
    [addresses]
    allow = ["10.0.0.0/8", "git.example"]
    [project."Zope.Interface"]
    command = ["{python}", "-m", "unittest"]
    limits = { test_minutes = 60 }
  `);
  expect(config.limits).toMatchObject({
    testMs: 1_230_000,
    memoryBytes: 536_870_912,
    pids: DEFAULT_LIMITS.pids,
  });
  expect(config.upstreams).toEqual({ index: "https://index.example/simple/" });
  expect(config.isolation).toEqual({ minimum: "gvisor", confirm: false });
  const override = config.projects.get("zope-interface");
  expect(override?.plan).toEqual({ command: ["{python}", "-m", "unittest"] });
  expect(limitsFor(config, override).testMs).toBe(3_600_000);
  expect(limitsFor(config, undefined).testMs).toBe(1_230_000);
});

test.each([
  [
    "[limits]\n\ntset_minutes = 3\n",
    "creamery.toml: line 3: limits.tset_minutes: unknown key; did you mean test_minutes?",
  ],
  [
    "[isolation]\nminimum = 'gvisor'\n\n[limit]\nx = 1\n",
    "creamery.toml: line 4: limit: unknown key; did you mean limits?",
  ],
  [
    "limits = { tests_minutes = 3 }\n",
    "creamery.toml: line 1: limits.tests_minutes: unknown key; did you mean test_minutes?",
  ],
  [
    "limits.instal_minutes = 3\n",
    "creamery.toml: line 1: limits.instal_minutes: unknown key; did you mean install_minutes?",
  ],
  [
    "[project.six]\ncommand = ['x']\n[project.lmdb]\ncomand = ['x']\n",
    "creamery.toml: line 4: project.lmdb.comand: unknown key; did you mean command?",
  ],
  [
    "# x\n[limits]\nmemory_mib = 'lots'\n",
    "creamery.toml: line 3: limits.memory_mib: must be a number",
  ],
  [
    "[isolation]\nminimum = 'chroot'\n",
    'creamery.toml: line 2: isolation.minimum: must be "vm" or "gvisor" or "container"',
  ],
  [
    "[directories]\ncache = 'here'\n",
    "creamery.toml: line 2: directories.cache: is no absolute path",
  ],
  [
    "[configurations]\npriority = ['py313']\n",
    "creamery.toml: line 2: configurations.priority.0: is no configuration's name",
  ],
  ["[limits]\ntest_minutes = 1\ntest_minutes = 2\n", "creamery.toml: line 3: "],
  ["[limits\n", "creamery.toml: line 1: "],
])("%j is told in one line", (text, message) => {
  const line = lineOf(() => parse(text));
  expect(line).toContain(message);
  expect(line).not.toContain("\n");
});

test("a bucket is a directory, or lies on S3", () => {
  expect(parse("").bucket).toEqual({ kind: "directory", path: null });
  expect(parse("[bucket]\nplace = '/srv/bucket'\n").bucket).toEqual({
    kind: "directory",
    path: "/srv/bucket",
  });
  const s3 = "[bucket]\nplace = 's3://farm/one/two'\nendpoint = 'https://s3.example:9000/'\n";
  expect(parse(s3).bucket).toEqual({
    kind: "s3",
    bucket: "farm",
    prefix: "one/two/",
    endpoint: "https://s3.example:9000",
    region: "us-east-1",
    addressing: "path",
    credentialsFile: null,
    certFile: null,
  });
  expect(parse(s3.replace("/one/two", "")).bucket).toMatchObject({ prefix: "" });
  expect(parse("[retention]\ndays = 7\nmax_gib = 2.5\n").retention).toEqual({
    days: 7,
    max_gib: 2.5,
  });
});

test.each([
  ["place = 'farm'", "bucket.place: is neither an absolute path nor s3://BUCKET/PREFIX"],
  ["place = 's3://farm/../up'", "bucket.place: is neither"],
  ["place = 's3://farm'", "bucket.endpoint: is missing"],
  ["place = '/srv/b'\nregion = 'x'", "bucket.place: is no s3://"],
  ["place = 's3://farm'\nendpoint = 'https://id:secret@s3.example'", "bucket.endpoint: is no"],
  ["place = 's3://farm'\nendpoint = 'ftp://s3.example'", "bucket.endpoint: is no address"],
  ["secret_key = 'abc'", "bucket.secret_key: unknown key"],
])("a bucket that can't be is told, and no secret: %j", (text, message) => {
  const line = lineOf(() => parse(`[bucket]\n${text}\n`));
  expect(line).toContain(message);
  expect(line).not.toMatch(/id:secret|abc/u);
});

test("a time of grace that is shorter than the longest attempt is refused", () => {
  expect(lineOf(() => parse("[retention]\ngrace_hours = 1\n"))).toContain(
    "line 2: retention.grace_hours: must be at least 25",
  );
});

test("an override file holds what [project.NAME] would", () => {
  expect(
    parseOverrideFile(
      "requirements = ['pytest<9']\nrepository = 'https://git.example/o/six'\n[limits]\npids = 64\n",
      "overrides/six.toml",
      "six",
    ),
  ).toMatchObject({
    plan: { requirements: ["pytest<9"] },
    limits: { pids: 64 },
    repository: { project: "six", url: "https://git.example/o/six" },
    visibility: null,
  });
  expect(
    lineOf(() =>
      parseOverrideFile("requirements = ['not a requirement !']\n", "overrides/six.toml", "six"),
    ),
  ).toContain("overrides/six.toml: line 1: requirements: holds what is no requirement");
});

test("the default priority configurations are data", () => {
  const text = readFileSync(new URL("../../../configurations.toml", import.meta.url), "utf8");
  expect(parseConfigurationsFile(text, "configurations.toml")).toEqual([
    "cpython-3.15",
    "cpython-3.13",
    "pypy-3.11",
  ]);
});

test("a project's own table lowers limits and never raises one", () => {
  const allowed = withLimits(DEFAULT_LIMITS, { test_minutes: 4, memory_mib: 256 });
  const { limits, override, problem } = readProjectTable(
    "[tool.creamery]\ncommand = ['{python}', '-m', 'pytest']\n[tool.creamery.limits]\ntest_minutes = 600\nmemory_mib = 128\npids = 100000\n",
    allowed,
  );
  expect(problem).toBeNull();
  expect(limits).toEqual({ ...allowed, memoryBytes: 128 * 1024 * 1024 });
  expect(override).toEqual({ command: ["{python}", "-m", "pytest"] });
  expect(lowerLimits(allowed, DEFAULT_LIMITS)).toEqual(allowed);
});

test.each([
  [
    "[project]\nname = 'x'\n[tool.creamery]\ncomand = ['x']\n",
    "pyproject.toml line 4: tool.creamery.comand: unknown key; did you mean command?",
  ],
  [
    "[tool.creamery]\ncwd = '../..'\n",
    "pyproject.toml line 2: tool.creamery.cwd: leads out of the tree",
  ],
  ["[tool.creamery]\ncwd = '/etc'\n", "leads out of the tree"],
  [
    "[tool.creamery.env]\nLD_PRELOAD = 'x.so'\n",
    "line 1: tool.creamery.env: sets a variable that is the farm's to set",
  ],
  ["[tool.creamery.env]\nCREAMERY_EVENTS_FD = '2'\n", "sets a variable that is the farm's to set"],
  ["[tool.creamery]\ncommand = []\n", "pyproject.toml line 2: tool.creamery.command"],
  ["not toml", "pyproject.toml line 1"],
])("a project's table that is wrong counts for nothing and says why: %j", (text, message) => {
  const reading = readProjectTable(text, DEFAULT_LIMITS);
  expect(reading).toMatchObject({ override: null, limits: DEFAULT_LIMITS });
  expect(reading.problem).toContain(message);
});

test("no table is no override", () => {
  expect(readProjectTable("[project]\nname = 'x'\n", DEFAULT_LIMITS)).toEqual({
    override: null,
    limits: DEFAULT_LIMITS,
    problem: null,
  });
});

test("what the mirror keeps has a bound, and a grace that is longer than use is noted", () => {
  const GIB = 1024 ** 3;
  expect(indexBounds(parse(""))).toEqual({ maxBytes: 50 * GIB, graceMs: 86_400_000 });
  const given = parse("[index]\nmax_gib = 0.5\ngrace_hours = 2");
  expect(indexBounds(given)).toEqual({ maxBytes: GIB / 2, graceMs: 7_200_000 });
  const patient = parse("[limits]\ntest_minutes = 1440\n[index]\ngrace_hours = 2");
  expect(indexBounds(patient).graceMs).toBe(2 * (1440 + 20) * 60_000);
  expect(lineOf(() => parse("[index]\ngrace_hours = 1"))).toContain("line 2: index.grace_hours");
  expect(parse('[index]\nx_accel = "/protected/"').index.x_accel).toBe("/protected/");
  for (const wrong of ["protected", "/protected", "/", "/a/../b/", "/a b/"])
    expect(lineOf(() => parse(`[index]\nx_accel = "${wrong}"`))).toContain("is no path of nginx");
  expect(lineOf(() => parse("[index]\nmax_gb = 1"))).toContain("did you mean max_gib?");
});
