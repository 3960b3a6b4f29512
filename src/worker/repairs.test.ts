import { expect, test } from "vitest";

import { sampleReport } from "../model/evidence.sample.ts";
import { nextRepair } from "./repairs.ts";

const run = (text: string, code = 4, runner: "pytest" | "unittest" = "pytest") => ({
  plan: { runner },
  result: { code, text },
  report: sampleReport([]),
});
const none = new Set<string>();
const release = {
  topLevel: ["mine"],
  lacking: ["gone"],
  strays: [],
  treeRoot: "/job/src/mine-1.0",
};

test("a module that a test file can't import is installed by its distribution's name, once", () => {
  const failed = {
    ...run("", 2),
    report: sampleReport([], {
      collectionErrors: [
        { id: "tests/test_a.py", message: "E   ModuleNotFoundError: No module named 'yaml'" },
      ],
    }),
  };
  expect(nextRepair(failed, release, none)).toEqual({
    kind: "install",
    key: "pyyaml",
    requirements: ["pyyaml"],
  });
  expect(nextRepair(failed, release, new Set(["pyyaml"]))).toBeNull();
});

test("neither the release's own modules nor the tests' are looked for on an index", () => {
  const text = "ModuleNotFoundError: No module named 'mine.sub'\nNo module named 'tests.support'";
  expect(
    nextRepair(run(`${text}\nModuleNotFoundError: No module named 'tests'`), release, none),
  ).toBeNull();
});

test("what the release itself lacks is not installed for it", () => {
  expect(
    nextRepair(run("ModuleNotFoundError: No module named 'gone'", 2), release, none),
  ).toBeNull();
});

test("an unknown option brings its plugin, then empties addopts", () => {
  const failed = run("error: unrecognized arguments: --cov=mine --cov-report=xml");
  expect(nextRepair(failed, release, none)).toMatchObject({ kind: "install", key: "pytest-cov" });
  expect(nextRepair(failed, release, new Set(["pytest-cov"]))).toMatchObject({
    kind: "options",
    arguments: ["-o", "addopts="],
  });
  expect(nextRepair(failed, release, new Set(["pytest-cov", "addopts"]))).toBeNull();
});

test("a plugin's own warning that the settings make an error is let through, and no other", () => {
  const failed = run(
    'INTERNALERROR>   File "plugin.py"\nINTERNALERROR> pytest.PytestDeprecationWarning: The option "a_b" is unset.\nINTERNALERROR> More: of it',
    3,
  );
  expect(nextRepair(failed, release, none)).toMatchObject({
    kind: "options",
    arguments: ["-W", 'ignore:The option "a_b" is unset.:pytest.PytestDeprecationWarning'],
  });
  expect(nextRepair(run("E   DeprecationWarning: of the release", 2), release, none)).toBeNull();
});

test("what ran tests is not repaired, whatever it printed", () => {
  const ran = {
    ...run("No module named 'yaml'", 1),
    report: sampleReport(["passed", "failed"]),
  };
  expect(nextRepair(ran, release, none)).toBeNull();
});

test("modules of tests that lack others beside them are left out, once, and by pytest alone", () => {
  const strays = [{ path: "tests/test_utils.py", lacks: "tests/base" }];
  const failed = {
    ...run("", 2),
    report: sampleReport([], { collectionErrors: [{ id: "tests/test_utils.py", message: "" }] }),
  };
  expect(nextRepair(failed, { ...release, strays }, none)).toEqual({
    kind: "options",
    key: "tests/test_utils.py",
    arguments: ["--ignore=/job/src/mine-1.0/tests/test_utils.py"],
    why: "left out tests/test_utils.py, which imports tests/base: the source lacks that",
    leftOut: strays,
  });
  expect(nextRepair(failed, { ...release, strays }, new Set(["tests/test_utils.py"]))).toBeNull();
  const unittest = { ...failed, plan: { runner: "unittest" as const } };
  expect(nextRepair(unittest, { ...release, strays }, none)).toBeNull();
});
