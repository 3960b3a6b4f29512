import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";

import { causeGroup, ALL_CAUSE_KINDS, parseCause } from "../../src/model/result-words.ts";
import { OUTCOMES } from "../../src/model/attempt.ts";
import type { AttemptJson } from "../../src/model/result-json.ts";
import { sampleAttempt } from "../../src/model/result-json.sample.ts";
import { buildMiniFarm } from "../mini-farm/build.ts";
import {
  differences,
  parseFarmToml,
  readProjects,
  testedProjects,
  unprintable,
  type Expectation,
} from "../mini-farm/expectations.ts";

const sample = sampleAttempt();
const evidence = {
  ...sample.evidence,
  repairs: ["installed mock: the tests need it"],
  attempts: ["tried to write /etc/passwd"],
  contradictions: ["the runner exited with 0 although 1 failed"],
  differing: ["tests/test_a.py::test_c"],
};
const attempt = sampleAttempt({ evidence });
const expected: Expectation = {
  phase: "test",
  outcome: "fail",
  cause: "test-failure",
  confidence: "confirmed(2/2)",
  smoke: "pass",
  installed: "wheel",
  plan: { rung: "B1+C3" },
  tests: { collected: 3, passed: 1, failed: 1, errors: 0, skipped: 1, deselected: 0 },
  evidence: {
    failing: ["tests/test_a.py::test_b"],
    differing: ["tests/test_a.py::test_c"],
    firstLines: ["AssertionError"],
    repairs: ["mock"],
    attempts: ["/etc/passwd"],
    refused: ["files.example"],
    contradictions: "some",
    limits: { oomKills: false, pidsRefused: false, diskFull: false },
  },
};

describe("a result that differs from what is expected", () => {
  test("is one that has a planted difference, and no other", () =>
    expect(differences(expected, attempt)).toEqual([]));

  const counts = { collected: 3, passed: 1, failed: 1, errors: 0, skipped: 1, deselected: 0 };
  const told = (change: Partial<AttemptJson["evidence"]>) => ({
    evidence: { ...evidence, ...change },
  });
  const limits = {
    memoryPeakBytes: 1,
    oomKills: 0,
    pidsRefused: 0,
    cpuSeconds: 1,
    diskBytes: 2,
    diskFull: false,
  };
  test.each<[path: string, Partial<AttemptJson>]>([
    ["phase", { phase: "import" }],
    ["outcome", { outcome: "error" }],
    ["outcome", { outcome: "pass" }],
    ["cause", { cause: "test-error" }],
    ["cause", { cause: null }],
    ["confidence", { confidence: "unconfirmed" }],
    ["smoke", { smoke: null }],
    ["smoke", { smoke: "fail" }],
    ["installed", { installed: "sdist" }],
    ["installed", { installed: null }],
    ["plan.rung", { plan: { ...sample.plan, rung: null } }],
    ["tests.collected", { tests: null }],
    ["tests.collected", { tests: { ...counts, collected: 4 } }],
    ["tests.passed", { tests: { ...counts, passed: 2 } }],
    ["tests.failed", { tests: { ...counts, failed: 0 } }],
    ["tests.errors", { tests: { ...counts, errors: 1 } }],
    ["tests.skipped", { tests: { ...counts, skipped: 0 } }],
    ["tests.deselected", { tests: { ...counts, deselected: 1 } }],
    ["evidence.failing", told({ failing: [] })],
    [
      "evidence.failing",
      told({
        failing: [...evidence.failing, { id: "another", outcome: "failed", message: "" }],
      }),
    ],
    ["evidence.differing", told({ differing: [] })],
    ["evidence.firstLines", told({ firstLines: ["another"] })],
    ["evidence.repairs", told({ repairs: [] })],
    ["evidence.attempts", told({ attempts: ["tried to write /etc/shadow"] })],
    ["evidence.refused", told({ refused: [] })],
    ["evidence.contradictions", told({ contradictions: [] })],
    ["evidence.limits.oomKills", told({ limits: null })],
    ["evidence.limits.oomKills", told({ limits: { ...limits, oomKills: 1 } })],
    ["evidence.limits.pidsRefused", told({ limits: { ...limits, pidsRefused: 3 } })],
    ["evidence.limits.diskFull", told({ limits: { ...limits, diskFull: true } })],
  ])("differs in %s", (path, change) => {
    const found = differences(expected, { ...attempt, ...change });
    expect(found[0]).toMatch(new RegExp(`^${path}: expected `, "u"));
  });

  test("is told in words that a person can read", () => {
    const change = { cause: null, outcome: "pass" as const };
    expect(differences(expected, { ...attempt, ...change })).toEqual([
      'outcome: expected "fail", got "pass"',
      'cause: expected "test-failure", got "none"',
    ]);
    expect(differences({ ...expected, tests: "none" }, attempt)[0]).toContain(
      'tests: expected "none", got {"collected":3',
    );
  });

  test("what is not expected is not compared, and an empty list expects nothing there", () => {
    const { plan: _plan, tests: _tests, evidence: _evidence, ...words } = expected;
    expect(differences(words, attempt)).toEqual([]);
    expect(differences({ ...words, evidence: { repairs: [] } }, attempt)).toHaveLength(1);
  });
});

test.each([
  'summary = "x"\n[expect]\nphase = "test"\noutcom = "pass"\n',
  'summary = "x"\npublish = ["egg"]\n',
  'summary = "x"\n[limits]\ntest_minute = 1\n',
  'summary = "x"\n[expect]\nphase = "test"\n',
])("a farm.toml with a mistake is refused: %j", (text) =>
  expect(() => parseFarmToml(text, "planted")).toThrow(/planted\/farm\.toml: /u),
);

test("a control character in a result is found, wherever it is", () => {
  const planted = {
    attempts: [sampleAttempt({ evidence: { ...evidence, repairs: ["a\u001b[31m", "b\u202ec"] } })],
  };
  expect(unprintable(planted)).toEqual([
    "attempts[0].evidence.repairs[0]",
    "attempts[0].evidence.repairs[1]",
  ]);
  expect(unprintable({ "a\u0007": ["line\n\ttext"] })).toEqual([" key"]);
  expect(unprintable({ attempts: [attempt] })).toEqual([]);
});

describe("the projects", () => {
  const projects = testedProjects();
  const causes = projects.flatMap(({ expected: { cause } }) =>
    cause === "none" ? [] : [parseCause(cause)?.kind ?? `no cause: ${cause}`],
  );

  test("have one for each cause that is not the farm's own, and for each outcome", () => {
    // That a job asks for no tests is admission's doing: no project can bring it about.
    const wanted = ALL_CAUSE_KINDS.filter(
      (kind) => causeGroup(kind) !== "farm" && kind !== "smoke-only",
    );
    expect([...new Set(causes)].toSorted()).toEqual(wanted.toSorted());
    expect([...new Set(projects.map((one) => one.expected.outcome))].toSorted()).toEqual(
      OUTCOMES.toSorted(),
    );
  });

  test("expect a cause except on a pass", () =>
    expect(
      projects
        .filter((one) => (one.expected.cause === "none") !== (one.expected.outcome === "pass"))
        .map(({ name }) => name),
    ).toEqual([]));

  test("are all named in the README", () => {
    const readme = readFileSync(new URL("../mini-farm/README.md", import.meta.url), "utf8");
    const named = [...readme.matchAll(/^\| `([a-z0-9-]+)` *\|/gmu)].map(([, name]) => name ?? "");
    const all = [...readProjects("projects"), ...readProjects("dependencies")];
    expect(named.toSorted()).toEqual(
      all.map(({ name }) => name.slice("creamery-farm-".length)).toSorted(),
    );
  });
});

describe("the packed files", () => {
  const files = buildMiniFarm();
  const holding = (filename: string): string => {
    const content = files.find((file) => file.filename === filename)?.content ?? Buffer.alloc(0);
    return (filename.endsWith(".gz") ? gunzipSync(content) : content).toString("latin1");
  };

  test("are the same when they are packed again", () =>
    expect(buildMiniFarm().map(({ content }) => content.toString("base64"))).toEqual(
      files.map(({ content }) => content.toString("base64")),
    ));

  test("are what farm.toml says, which is in none of them", () => {
    expect(files.filter(({ filename }) => holding(filename).includes("farm.toml"))).toEqual([]);
    const inside = "creamery_farm_tests_in_wheel/tests/test_inside.py";
    expect(holding("creamery_farm_tests_in_wheel-1.0.tar.gz")).not.toContain(inside);
    expect(holding("creamery_farm_tests_in_wheel-1.0-py2.py3-none-any.whl")).toContain(inside);
    expect(holding("creamery_farm_shadowed_by_tree-1.0.tar.gz")).toContain("of the tree");
    expect(holding("creamery_farm_odd_names-1.0.tar.gz")).toContain("\u001b[31m");
    expect(files.filter((file) => file.yanked !== undefined).map(({ project }) => project)).toEqual(
      ["creamery-farm-withdrawn", "creamery-farm-withdrawn"],
    );
    expect(
      new Set(files.flatMap((file) => (file.requiresPython === undefined ? [] : [file.project]))),
    ).toEqual(new Set(["creamery-farm-excluded-by-requires-python"]));
  });
});
