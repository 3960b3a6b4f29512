import { readFileSync } from "node:fs";
import { z } from "zod";
import { describe, expect, it } from "vitest";
import { parseCoreMetadata } from "../python/core-metadata.ts";
import { markersOf } from "../python/interpreter-markers.ts";
import { discover } from "./discover.ts";
import type { Discovery, Plan } from "./plan.ts";

/**
 * Real listings of 24 releases (test/discovery-cases, made from their sdists and wheels); the expectations are what
 * people found to be the way in which upstream runs them.
 */

const file = z.object({
  path: z.string(),
  sizeBytes: z.number(),
  testFunctions: z.number(),
  imports: z.array(z.string()).default([]),
  usesUnittest: z.boolean().default(false),
  usesPytest: z.boolean().default(false),
});
const discoveryCase = z.object({
  tree: z.object({
    files: z.array(file),
    texts: z.record(z.string(), z.string()),
    truncated: z.boolean(),
  }),
  installed: z.object({
    sitePackages: z.string(),
    files: z.array(file),
    topLevel: z.array(z.string()),
    metadata: z.string(),
    entryPoints: z.string(),
  }),
});

function discoverCase(name: string, interpreter = "cpython-3.11"): Discovery {
  const path = new URL(`../../test/discovery-cases/${name}.json`, import.meta.url);
  const { tree, installed } = discoveryCase.parse(JSON.parse(readFileSync(path, "utf8")));
  const [implementation, version = ""] = interpreter.split("-");
  const markers = markersOf({
    implementation: implementation === "pypy" ? "pypy" : "cpython",
    version,
    fullVersion: `${version}.7`,
  });
  return discover(tree, installed, {
    project: name,
    version: parseCoreMetadata(installed.metadata).version,
    markers,
    interpreter,
  });
}

function firstPlan(name: string, interpreter?: string): Plan {
  const found = discoverCase(name, interpreter);
  const plan = found.kind === "plans" ? found.plans[0] : undefined;
  if (plan === undefined) throw new Error(`no plan for ${name}`);
  return plan;
}

function requirementsOf(plan: Plan, optional: boolean): readonly string[] {
  return plan.dependencies
    .filter((step) => step.optional === optional)
    .flatMap((step) => step.requirements);
}

interface Expected {
  readonly rung: string;
  /** After the interpreter. */
  readonly command: string;
  readonly needs: readonly string[];
  readonly replace?: readonly string[];
  readonly cwd?: string;
  /** What tests were collected by the people who ran it. */
  readonly collected: number;
}

const EXPECTED: Readonly<Record<string, Expected>> = {
  attrs: {
    rung: "B1+C2",
    command: "-m pytest -n 2",
    needs: ["hypothesis", "pympler", "pytest", "pytest-xdist[psutil]"],
    collected: 1386,
  },
  blinker: {
    rung: "B4+C2",
    command: "-m pytest -v --tb=short",
    needs: ["pytest", "pytest-asyncio"],
    collected: 25,
  },
  bottle: {
    rung: "B0+C7",
    command: "-m unittest discover -s test -t .",
    needs: [],
    replace: ["bottle.py"],
    collected: 377,
  },
  cachetools: {
    rung: "B6+C2",
    command: "-m pytest",
    needs: ["pytest", "pytest-cov"],
    collected: 465,
  },
  cffi: { rung: "B0+C6", command: "-m pytest src/c testing", needs: ["pytest"], collected: 2080 },
  click: { rung: "B1+C2", command: "-m pytest -v --tb=short", needs: ["pytest"], collected: 2459 },
  cryptography: {
    rung: "B1+C3",
    command: "-m pytest",
    needs: [
      "cryptography_vectors==50.0.2",
      "pytest>=7.4.0",
      "pytest-benchmark>=4.0",
      "pytest-cov>=2.10.1",
      "pytest-xdist>=3.5.0",
      "pretend>=0.7",
      "certifi>=2024",
    ],
    collected: 4681,
  },
  docutils: {
    rung: "B0+C2",
    command: "alltests.py",
    needs: [],
    replace: ["docutils"],
    cwd: "test",
    collected: 2351,
  },
  idna: {
    rung: "B2+C6",
    command: "-m pytest tests",
    needs: ["pytest>=8.3.2", "hypothesis>=6.141.1"],
    replace: ["idna"],
    collected: 6442,
  },
  itsdangerous: {
    rung: "B4+C2",
    command: "-m pytest -v --tb=short",
    needs: ["pytest", "freezegun"],
    collected: 297,
  },
  lmdb: {
    rung: "B0+C3",
    command: "-m pytest tests",
    needs: ["pytest"],
    replace: ["lmdb"],
    collected: 506,
  },
  markupsafe: {
    rung: "B1+C2",
    command: "-m pytest -v --tb=short",
    needs: ["pytest"],
    collected: 80,
  },
  msgpack: {
    rung: "B1+C6",
    command: "-m pytest test",
    needs: ["pytest>=9.0.3"],
    replace: ["msgpack"],
    collected: 161,
  },
  packaging: {
    rung: "B1+C3",
    command: "-m pytest",
    needs: ["coverage[toml]>=7.2.0", "hypothesis>=6.0.0", "pretend", "pytest>=6.2.0", "tomli_w"],
    collected: 62423,
  },
  pluggy: {
    rung: "B1+C2",
    command: "-m pytest",
    needs: ["pytest>=8", "pytest-benchmark", "coverage"],
    collected: 219,
  },
  pycparser: {
    rung: "B0+C7",
    command: "-m unittest discover -s tests -t .",
    needs: [],
    replace: ["pycparser"],
    collected: 451,
  },
  "python-dateutil": {
    rung: "B6+C2",
    command: "-m pytest ./tests ./docs",
    needs: [
      "pytest>=3.0",
      "pytest-cov>=2.0.0",
      "pytest-xdist>=3.2.0",
      "freezegun",
      "hypothesis>=3.30",
      "coverage",
      "attrs>=21.2.0",
    ],
    collected: 5344,
  },
  simplejson: {
    rung: "B0+C7",
    command: "-m unittest discover -s simplejson/tests -t .",
    needs: [],
    replace: ["simplejson"],
    collected: 283,
  },
  six: {
    rung: "B5+C3",
    command: "-m pytest test_six.py",
    needs: ["pytest"],
    replace: ["six.py"],
    collected: 200,
  },
  tornado: {
    rung: "B0+C1",
    command: "-m tornado.test",
    needs: [],
    replace: ["tornado"],
    cwd: "{site}",
    collected: 1517,
  },
  ujson: { rung: "B6+C2", command: "-m pytest", needs: ["pytest"], collected: 478 },
  wrapt: { rung: "B6+C2", command: "-m pytest -v ./tests", needs: ["pytest"], collected: 1418 },
  "zope-interface": {
    rung: "B2+C2",
    command: "-m unittest discover -s {site}/zope/interface -t {site}",
    needs: ["coverage[toml]", "zope.testing", "setuptools>=78.1.1,<82"],
    replace: ["src/zope/interface"],
    collected: 1374,
  },
};

describe("real releases", () => {
  it.each(Object.entries(EXPECTED))("finds out how %s is tested", (name, expected) => {
    const plan = firstPlan(name);
    expect({
      rung: plan.rung,
      command: plan.argv.slice(1).join(" "),
      needs: requirementsOf(plan, false),
      replace: plan.replaceByInstalled,
      cwd: plan.cwd,
    }).toEqual({
      rung: expected.rung,
      command: expected.command,
      needs: expected.needs,
      replace: expected.replace ?? [],
      cwd: expected.cwd ?? ".",
    });
    expect(plan.argv[0]).toBe("{python}");
    // The worker takes a run for too small below half of it: what was seen must not be far above what really ran.
    expect(plan.expectedAtLeast * 0.5).toBeLessThanOrEqual(expected.collected);
    expect(plan.expectedAtLeast).toBeGreaterThan(0);
    expect(plan.rejected.length).toBeGreaterThan(0);
  });

  it("says that sortedcontainers has its tests elsewhere, and what it looked for", () => {
    const found = discoverCase("sortedcontainers");
    expect(found).toMatchObject({ kind: "smoke-only", cause: "tests-not-in-sdist" });
    expect(found.kind === "smoke-only" ? found.rejected.map((one) => one.rung) : []).toEqual(
      expect.arrayContaining(["B1", "C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8"]),
    );
  });

  it("follows tox to what upstream does with another interpreter", () => {
    expect(firstPlan("attrs", "pypy-3.11").argv.slice(1).join(" ")).toBe(
      "-m pytest tests/test_functional.py",
    );
    expect(requirementsOf(firstPlan("markupsafe", "cpython-3.13"), false)).toContain(
      "pytest-run-parallel",
    );
    expect(firstPlan("zope-interface", "pypy-3.11").env["PURE_PYTHON"]).toBeUndefined();
    expect(firstPlan("zope-interface", "cpython-3.15").env["PURE_PYTHON"]).toBe("0");
    expect(firstPlan("tornado").env).toMatchObject({
      ASYNC_TEST_TIMEOUT: "25",
      TORNADO_EXTENSION: "1",
    });
  });

  it("installs what suites import behind a guard, each by itself, and nothing it has never heard of", () => {
    const steps = firstPlan("bottle").dependencies;
    expect(steps).toEqual([
      { from: "imports", requirements: ["jinja2"], optional: true },
      { from: "imports", requirements: ["mako"], optional: true },
    ]);
    expect(requirementsOf(firstPlan("cffi"), true)).not.toContain("mesonpy");
  });
});
