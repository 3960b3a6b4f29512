import { expect, test } from "vitest";

import type { SourceOrigin } from "../index/lock/source-origin.ts";
import { sampleJob } from "./attempt-job.sample.ts";
import { givenRelease } from "./given-release.ts";

const origin: SourceOrigin = {
  kind: "git",
  url: "https://git.example/mine",
  ref: null,
  commit: "c".repeat(40),
};
const sourceFile = { path: "/x", filename: "mine-1.0.tar.gz", sha256: "a".repeat(64) };
const wheelFile = { path: "/y", filename: "mine-1.0-py3-none-any.whl", sha256: "b".repeat(64) };
const installed = (how: "wheel" | "sdist") =>
  ({ ok: true, installed: how, project: "mine", version: "1.0" }) as const;

test("what was built of a release or a commit is locked as where that came from", () => {
  const { source } = sampleJob("a", { origin, sourceFile });
  expect(givenRelease({ source }, installed("sdist"))).toEqual({
    name: "mine",
    version: "1.0",
    from: origin,
  });
  // The index gave the wheel, and knows of it.
  expect(givenRelease({ source }, installed("wheel"))).toBeNull();
});

test("of archives that a person gave it is the one that was installed", () => {
  const { source } = sampleJob("a", { kind: "sdist", sourceFile, wheelFile });
  for (const [how, { filename, sha256 }] of [
    ["sdist", sourceFile],
    ["wheel", wheelFile],
  ] as const)
    expect(givenRelease({ source }, installed(how))?.from).toEqual({
      kind: "archive",
      filename,
      sha256,
    });
});

test("a tree, and what was not installed, is from nowhere", () => {
  const tree = sampleJob("a", { kind: "tree", sourceFile }).source;
  expect(givenRelease({ source: tree }, installed("sdist"))).toBeNull();
  const { source } = sampleJob("a", { origin, sourceFile });
  expect(givenRelease({ source }, null)).toBeNull();
  expect(givenRelease({ source }, { ...installed("sdist"), ok: false })).toBeNull();
});
