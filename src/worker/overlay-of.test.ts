import { expect, test } from "vitest";

import { sampleRecord } from "../index/record/attempt-record.sample.ts";
import type { Installation } from "./install-release.ts";
import { excludedFacts } from "./evidence-of.ts";
import { overlayEvidence } from "./overlay-of.ts";
import type { AttemptFacts } from "./run-attempt.ts";
import type { JobOverlay } from "./attempt-job.ts";
import { failedInstallation } from "./install-release.ts";
import { sampleJob } from "./attempt-job.sample.ts";

const overlay = (project: string, version: string): JobOverlay => ({
  releases: [{ project, version, wheel: null }],
  before: null,
  env: {},
  watch: [project],
});

function failedWith(text: string): AttemptFacts {
  const installation: Installation = failedInstallation(sampleJob("a1"), {
    step: "install",
    phase: "install",
    argv: [],
    text,
    ok: false,
    code: 1,
    signal: null,
    limit: null,
    seconds: 1,
    outputBytes: 1,
  });
  return { ...excludedFacts(), installation };
}

const unsatisfied = (text: string, project = "setuptools", version = "83.0.0") =>
  overlayEvidence(overlay(project, version), failedWith(text)).unsatisfied;

const UV = `  × No solution found when resolving dependencies:
  ╰─▶ Because only setuptools==83.0.0 is available and you require
      setuptools<80, we can conclude that your requirements are unsatisfiable.
`;

test.each([
  ["uv", UV, "it needs setuptools<80, and there is only 83.0.0"],
  [
    "uv, of a build",
    `  × Failed to build \`/job/build\`\n  ├─▶ Failed to resolve requirements from \`build-system.requires\`\n  ├─▶ No solution found when resolving: \`setuptools>=40, <80\`\n  ╰─▶ Because only setuptools==83.0.0 is available\n      and you require setuptools>=40,<80, we can conclude`,
    "it needs setuptools>=40,<80, and there is only 83.0.0",
  ],
  [
    "pip",
    "ERROR: Could not find a version that satisfies the requirement Setup_Tools==75.8 (from versions: 83.0.0)\nERROR: No matching distribution found for Setup_Tools==75.8",
    "it needs setup-tools==75.8, and there is only 83.0.0",
  ],
])("%s says who asked for another release", (_what, text, line) => {
  const project = text.includes("Setup_Tools") ? "setup-tools" : "setuptools";
  expect(unsatisfied(text, project)).toBe(line);
});

test.each([
  ["what is wanted is there", UV.replaceAll("<80", ">=80")],
  ["another project is missing", UV.replaceAll("setuptools<80", "my-setuptools<80")],
  ["a build that ran speaks of a version", "RuntimeError: setuptools<80 was expected"],
  [
    "the release itself can't be put together",
    "  × No solution found when resolving dependencies:\n  ╰─▶ Because nowhere was not found in the package registry and setuptools==83.0.0\n      depends on nowhere>=9, we can conclude that setuptools==83.0.0 cannot be used.",
  ],
])("nothing of the kind where %s", (_what, text) => {
  expect(unsatisfied(text)).toBeNull();
});

test("a text without end is read in bounded time", () => {
  const text = `No matching distribution found ${"setuptools<".repeat(100_000)}`;
  expect(unsatisfied(text)).toBeNull();
});

test("what was served and what was installed are told apart, of what is watched", () => {
  const file = (project: string, filename: string) => ({
    project,
    filename,
    sha256: "a".repeat(64),
    sizeBytes: 1,
    uploadTime: null,
    requiresPython: null,
    url: "",
    upstream: "",
  });
  const facts: AttemptFacts = {
    ...excludedFacts(),
    frozen: ["Setup_Tools==44.1", "six==1.0"],
    record: sampleRecord({
      files: [
        file("setup-tools", "setup_tools-83.0-py3-none-any.whl"),
        file("setup-tools", "setup-tools-83.0.tar.gz"),
        file("six", "six-1.0-py3-none-any.whl"),
      ],
    }),
  };
  expect(overlayEvidence(overlay("setup-tools", "83.0"), facts).used).toEqual([
    { project: "setup-tools", installed: "44.1", served: ["83.0"] },
  ]);
});
