import { expect, test } from "vitest";

import { sampleAttempt } from "../model/result-json.sample.ts";
import { MAX_DEPENDENCIES } from "../python/depends-on.ts";
import { sampleJob } from "./attempt-job.sample.ts";
import { declaredDependencies } from "./declared-dependencies.ts";
import { FinishJson, finishOf, LeasedJobJson } from "./wire.ts";

const installed = {
  sitePackages: "/s",
  files: [],
  topLevel: [],
  metadata: "Name: mine\nVersion: 1.0\nRequires-Dist: NumPy>=2\n\n",
  entryPoints: "",
};
const tree = (pyproject: string) => ({
  files: [],
  texts: { "pyproject.toml": pyproject },
  truncated: false,
});

test("a release says whom it needs, to run by its metadata and to be built by its pyproject.toml", () => {
  const job = sampleJob("a");
  const pyproject = '[build-system]\nrequires = ["hatchling"]\n';
  expect(declaredDependencies(job, { installed, tree: tree(pyproject) })).toEqual([
    { name: "hatchling", kind: "build" },
    { name: "numpy", kind: "run" },
  ]);
  for (const broken of ["[build-system", "[build-system]\nrequires = 'x'\n"])
    expect(declaredDependencies(job, { installed, tree: tree(broken) })).toEqual([
      { name: "numpy", kind: "run" },
    ]);
});

test("nothing is said of what was not installed, of a tree, and of what an experiment gave", () => {
  const job = sampleJob("a");
  const facts = { installed, tree: null };
  const overlay = { releases: [], before: null, env: {}, watch: [] };
  expect(declaredDependencies(job, { installed: null, tree: null })).toBeNull();
  expect(declaredDependencies(sampleJob("a", { kind: "tree" }), facts)).toBeNull();
  expect(declaredDependencies({ ...job, overlay }, facts)).toBeNull();
  expect(declaredDependencies(job, facts)).toHaveLength(1);
});

test("a worker sends them with its results, one of before sends none, and too many are refused", () => {
  const body = (dependencies?: unknown) => ({
    kind: "done",
    recordings: [
      {
        attempt: sampleAttempt(),
        visibility: "public",
        reason: "release",
        startedAt: "2026-11-24T10:00:00Z",
        results: [],
        ...(dependencies === undefined ? {} : { dependencies }),
      },
    ],
  });
  const sent = (dependencies?: unknown) => {
    const finish = finishOf(FinishJson.parse(body(dependencies)));
    return finish.kind === "done" ? finish.recordings[0] : undefined;
  };
  const numpy = [{ name: "numpy", kind: "run" }];
  expect(sent(numpy)?.dependencies).toEqual(numpy);
  expect(sent()).not.toHaveProperty("dependencies");
  const many = Array.from({ length: MAX_DEPENDENCIES + 1 }, (_, index) => ({
    name: `p${index}`,
    kind: "run",
  }));
  for (const refused of [many, [{ name: "numpy", kind: "other" }], [{ name: "", kind: "run" }]])
    expect(FinishJson.safeParse(body(refused)).success).toBe(false);
});

test("a farm of before, which knows no plans, leases whole tests", () => {
  const leased = {
    key: "r-0",
    attempt: "a",
    project: "six",
    visibility: "public",
    word: "six==1",
    version: "1",
    configuration: "cpython-3.13",
    reason: "release",
    lane: "rest",
    try: 1,
    leaseUntilMs: 1,
  };
  expect(LeasedJobJson.parse(leased).plan).toBe("full");
  expect(LeasedJobJson.parse({ ...leased, plan: "smoke" }).plan).toBe("smoke");
});
