import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { beforeAll, describe, expect, it } from "vitest";

import { ComparisonJson, type ComparedJson } from "../../src/judge/comparison-json.ts";
import { makeWheel } from "../upstream/make-wheel.ts";
import type { DistFile } from "../upstream/upstream.ts";
import { attemptsOf, useFarm, wrongInRefusal } from "./local-farm.ts";
import { PASSING, unittestOf, type SmallProject } from "./pack-projects.ts";
import type { CommandOptions, Ended } from "./run-command.ts";

/** `./creamery compare` as a person types it, with releases of ours that break what is known to be broken. */

const LIB = "creamery-e2e-lib";
const BACKEND = "creamery-e2e-backend";
const needs = (lines: readonly string[], more: Partial<SmallProject> = {}) => ({
  requires: [LIB],
  files: { "tests/test_it.py": unittestOf("import creamery_e2e_lib as lib", ...lines) },
  ...more,
});
const builtWith = (requirement: string) => ({
  ...PASSING,
  "pyproject.toml": `[build-system]\nrequires = ["${requirement}"]\nbuild-backend = "creamery_e2e_backend"\n`,
});

const PROJECTS: readonly SmallProject[] = [
  { name: "creamery-e2e-cmp-uses", ...needs(["self.assertTrue(lib.old())"]) },
  { name: "creamery-e2e-cmp-careful", ...needs(["self.assertTrue(lib.VERSION)"]) },
  { name: "creamery-e2e-cmp-waits", ...needs(["self.assertTrue(lib.new())"]) },
  {
    name: "creamery-e2e-cmp-caps",
    ...needs(["self.assertTrue(lib.old())"], { requires: [`${LIB}<2`] }),
  },
  { name: "creamery-e2e-cmp-stranger", files: PASSING },
  { name: "creamery-e2e-cmp-built", files: builtWith(BACKEND) },
  { name: "creamery-e2e-cmp-built-pinned", files: builtWith(`${BACKEND}==1.0`) },
  {
    name: "creamery-e2e-cmp-reads",
    files: {
      "tests/test_it.py": unittestOf('self.assertEqual(os.environ.get("E2E_MODE"), "old")'),
    },
  },
  {
    name: "creamery-e2e-cmp-aged",
    files: { "tests/test_it.py": unittestOf("self.assertLess(sys.version_info, (3, 12))") },
  },
];

const backend = readFileSync(resolve(import.meta.dirname, "../mini-farm/backend.py"), "utf8");
const libOf = (version: string, requires: readonly string[] = []) =>
  makeWheel(
    LIB,
    version,
    {
      "creamery_e2e_lib.py": `VERSION = "${version}"\n${version.startsWith("1") ? "def old(): return True" : "def new(): return True"}\n`,
    },
    requires,
  );
const release = (project: string, version: string, content: Buffer, uploadTime?: string) => ({
  project,
  filename: `${project.replaceAll("-", "_")}-${version}-py2.py3-none-any.whl`,
  content,
  ...(uploadTime === undefined ? {} : { uploadTime }),
});

/** Releases that break others, the newest one even itself. */
const RELEASES: readonly DistFile[] = [
  release(LIB, "1.0", libOf("1.0")),
  release(LIB, "2.0", libOf("2.0"), "2026-06-01T00:00:00Z"),
  release(LIB, "3.0", libOf("3.0", ["creamery-e2e-nowhere>=9"]), "2026-09-01T00:00:00Z"),
  release(BACKEND, "1.0", makeWheel(BACKEND, "1.0", { "creamery_e2e_backend.py": backend })),
  release(
    BACKEND,
    "2.0",
    makeWheel(BACKEND, "2.0", {
      "creamery_e2e_backend.py":
        'def build_wheel(*words, **more):\n    raise RuntimeError("the old form is gone")\n',
    }),
  ),
];

const farm = useFarm("compare", PROJECTS);
beforeAll(() => void farm().upstream.files.push(...RELEASES));

function compare(
  sides: readonly [string, string],
  projects: readonly string[],
  more: readonly string[] = ["--on", "cpython-3.13"],
  options?: CommandOptions,
): Promise<Ended> {
  const { room, config } = farm();
  const list = join(room.base, "projects.txt");
  writeFileSync(list, projects.map((name) => `creamery-e2e-cmp-${name}\n`).join(""));
  const words = ["compare", ...sides, "--projects", list, "--config", config, "--json", ...more];
  return room.run(words, options);
}

function comparisonOf({ stdout, stderr }: Ended): ComparisonJson {
  expect(stdout, stderr.slice(-2000)).toMatch(/^\{[^\n]*\}\n$/u);
  return ComparisonJson.parse(JSON.parse(stdout));
}

function verdictsOf({ compared }: ComparisonJson): Record<string, string> {
  return Object.fromEntries(
    compared.map(({ project, verdict }) => [project.replace("creamery-e2e-cmp-", ""), verdict]),
  );
}

function of(comparison: ComparisonJson, name: string): ComparedJson {
  const found = comparison.compared.find(({ project }) => project === `creamery-e2e-cmp-${name}`);
  if (found === undefined) throw new Error(`nothing of ${name}`);
  return found;
}

describe("two releases of a library", () => {
  const names = ["uses", "careful", "waits", "caps", "stranger"];
  const sides = [`${LIB}==1.0`, `${LIB}==2.0`] as const;
  let ended: Ended | undefined;
  const comparison = () => {
    if (ended === undefined) throw new Error("nothing was run");
    return comparisonOf(ended);
  };
  beforeAll(async () => {
    ended = await compare(sides, names);
  });

  it("break, fix and leave what they should, and something broken is exit code 1", () => {
    expect(verdictsOf(comparison())).toEqual({
      uses: "newly-broken",
      careful: "unchanged",
      waits: "fixed",
      caps: "incomparable",
      stranger: "unchanged",
    });
    expect(ended?.code).toBe(1);
  });

  it("a break is told with the test, the reason, and twice on each side", () => {
    const uses = of(comparison(), "uses");
    expect(uses).toMatchObject({ confidence: "confirmed(2/2)", exercised: true, from: "auto" });
    expect(uses.tests.broken).toEqual([expect.stringContaining("test_it")]);
    expect(uses.why.join("\n")).toContain("has no attribute 'old'");
    expect([uses.a.runs.length, uses.b.runs.length]).toEqual([2, 2]);
  });

  it("the index gave each side its release and no other", () => {
    const { a, b } = of(comparison(), "careful");
    expect([a, b].map(({ runs }) => runs.map(({ used }) => used))).toEqual([
      [[{ project: LIB, installed: "1.0", served: ["1.0"] }]],
      [[{ project: LIB, installed: "2.0", served: ["2.0"] }]],
    ]);
  });

  it("who asks for another release is not broken by this one", () => {
    const caps = of(comparison(), "caps");
    expect(caps.why).toEqual([`it needs ${LIB}<2, and there is only 2.0: can't be had with B`]);
    expect(caps.b.runs).toHaveLength(1);
  });

  it("who never asks for it is told to have said nothing of it", () => {
    expect(of(comparison(), "stranger")).toMatchObject({
      exercised: false,
      why: [expect.stringContaining("not exercised")],
    });
  });

  it("typed again, what was run is not run again", async () => {
    const before = (await farm().stored()).length;
    const again = await compare(sides, names);
    expect(again.stdout).toBe(ended?.stdout);
    expect(again.stderr).toContain("5 of 5");
    expect((await farm().stored()).length).toBe(before);
  });

  it("a broken run is reproduced with what it was given, and asks no upstream", async () => {
    const { upstream, reproduce, stored } = farm();
    const [run] = of(comparison(), "uses").b.runs;
    const asked = upstream.requests.length;
    const [again] = attemptsOf(await reproduce([run?.id ?? "", "--json"]));
    const first = (await stored()).find(({ attempt }) => attempt.id === run?.id)?.attempt;
    expect(again).toMatchObject({ outcome: "fail", axes: { lock: first?.axes.lock } });
    expect(again?.evidence.overlay).toEqual(first?.evidence.overlay);
    expect(again?.axes.overlay).toMatch(/^[0-9a-f]{64}$/u);
    expect(upstream.requests.slice(asked)).toEqual([]);
  });

  it("an experiment is no baseline that an ordinary test would be held against", async () => {
    const [attempt] = attemptsOf(await farm().test(["creamery-e2e-cmp-careful==1.0", "--json"]));
    expect(attempt?.evidence).not.toHaveProperty("overlay");
    expect(attempt?.comparison).toBe("new");
  });
});

it("two releases of a build tool are met by isolated builds, of what has wheels too", async () => {
  const ended = await compare(
    [`${BACKEND}==1.0`, `${BACKEND}==2.0`],
    ["built", "built-pinned", "stranger"],
  );
  const comparison = comparisonOf(ended);
  expect(verdictsOf(comparison)).toEqual({
    built: "newly-broken",
    "built-pinned": "incomparable",
    stranger: "unchanged",
  });
  const built = of(comparison, "built");
  expect(built.from).toBe("sdist");
  expect(built.why.join("\n")).toContain("the old form is gone");
  expect(built.b.runs[0]).toMatchObject({
    phase: "build",
    used: [{ project: BACKEND, installed: null, served: ["2.0"] }],
  });
  expect(built.a.runs[0]).toMatchObject({ outcome: "pass", used: [{ served: ["1.0"] }] });
  expect(of(comparison, "built-pinned").why[0]).toContain(`${BACKEND}==1.0`);
  expect(ended.code).toBe(1);
});

it("a release that can't be installed at all is broken, not impossible", async () => {
  const comparison = comparisonOf(await compare([`${LIB}==1.0`, `${LIB}==3.0`], ["careful"]));
  expect(of(comparison, "careful")).toMatchObject({ verdict: "newly-broken" });
});

it("pip's environments and builds are reached as uv's are", async () => {
  const comparison = comparisonOf(
    await compare([`${LIB}==1.0`, `${LIB}==2.0`], ["uses", "caps"], ["--on", "cpython-2.7"]),
  );
  expect(verdictsOf(comparison)).toEqual({ uses: "newly-broken", caps: "incomparable" });
});

it("a wheel of a person's own stands in the place of the project's releases", async () => {
  const { room, reproduce, upstream } = farm();
  const name = "creamery_e2e_lib-2.5-py2.py3-none-any.whl";
  writeFileSync(join(room.base, name), libOf("2.5"));
  const ended = await compare([`${LIB}==1.0`, `./${name}`], ["uses", "careful"]);
  const comparison = comparisonOf(ended);
  expect(verdictsOf(comparison)).toEqual({ uses: "newly-broken", careful: "unchanged" });
  const [run] = of(comparison, "careful").b.runs;
  expect(run?.used).toEqual([{ project: LIB, installed: "2.5", served: ["2.5"] }]);
  const asked = upstream.requests.length;
  const [again] = attemptsOf(await reproduce([run?.id ?? "", "--json"]));
  expect(again).toMatchObject({ outcome: "pass" });
  expect(again?.evidence.overlay?.used).toEqual(run?.used);
  expect(upstream.requests.slice(asked)).toEqual([]);
});

it("two dates of the index give what was there", async () => {
  const comparison = comparisonOf(
    await compare(["date:2026-02-01", "date:2026-07-01"], ["uses", "careful", "stranger"]),
  );
  expect(verdictsOf(comparison)).toEqual({
    uses: "newly-broken",
    careful: "unchanged",
    stranger: "unchanged",
  });
  expect(of(comparison, "uses").moved).toEqual([`${LIB} 1.0 → 2.0`]);
  expect(of(comparison, "stranger").exercised).toBe(false);
});

it("a variable and an interpreter are changed like anything else", async () => {
  const variable = comparisonOf(await compare(["env:E2E_MODE=old", "none"], ["reads"]));
  expect(verdictsOf(variable)).toEqual({ reads: "newly-broken" });
  const interpreter = comparisonOf(
    await compare(["on:cpython-3.11", "on:cpython-3.13"], ["aged"], []),
  );
  expect(verdictsOf(interpreter)).toEqual({ aged: "newly-broken" });
});

it("what was interrupted goes on where it stopped", async () => {
  const { room, config, stored } = farm();
  const list = join(room.base, "interrupted.txt");
  writeFileSync(list, "creamery-e2e-cmp-careful\ncreamery-e2e-cmp-stranger\n");
  const sides = [`${LIB}==1.0`, `${LIB}==2.0`];
  const words = ["compare", ...sides, "--projects", list, "--config", config];
  const more = ["--on", "cpython-3.13", "--jobs", "1", "--json"];
  const before = new Set((await stored()).map(({ attempt }) => attempt.id));
  // What other tests have begun is begun anew.
  const running = room.start([...words, ...more, "--fresh"]);
  await running.said(/\(B\): pass/u);
  process.kill(-running.pid, "SIGINT");
  const { code, stderr, leaks } = await running.ended;
  expect([code, leaks], stderr).toEqual([130, []]);
  expect(stderr).toContain("the same command goes on where this stopped");
  const newOnes = async () =>
    (await stored()).map(({ attempt }) => attempt.id).filter((id) => !before.has(id));
  const first = await newOnes();
  const again = await room.run([...words, ...more]);
  const runs = comparisonOf(again).compared.flatMap(({ a, b }) => [...a.runs, ...b.runs]);
  const ids = runs.map(({ id }) => id);
  expect(ids).toEqual(expect.arrayContaining(first));
  expect((await newOnes()).toSorted()).toEqual(ids.toSorted());
  // A and B in turn, project by project.
  const startedAt = new Map((await stored()).map((one) => [one.attempt.id, one.startedAt]));
  const inTurn = ids.toSorted((one, other) =>
    (startedAt.get(one) ?? "") < (startedAt.get(other) ?? "") ? -1 : 1,
  );
  expect(inTurn).toEqual(ids);
});

describe("what can't be compared is told before anything is run", () => {
  it.each([
    ["nothing that changes", ["none", "none"], ["careful"], "none", "the same on both sides"],
    ["two kinds", [`${LIB}==1.0`, "date:2026-02-01"], ["careful"], LIB, "of two kinds"],
    ["a release that is not there", [`${LIB}==7.0`, "none"], ["careful"], "7.0", "no such release"],
    [
      "a project that is not there",
      [`${LIB}==1.0`, "none"],
      ["careful", "gone"],
      "line 2",
      "no index",
    ],
  ] as const)("%s", async (_what, [a, b], names, input, reason) => {
    expect(wrongInRefusal(await compare([a, b], names), 2, input, reason)).toEqual([]);
  });
});
