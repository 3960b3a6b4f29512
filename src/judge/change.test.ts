import { expect, test } from "vitest";

import { CreameryError } from "../base/errors.ts";
import { parseSides } from "./change.ts";
import { parseSide } from "./side.ts";

test.each([
  ["none", { kind: "none" }],
  [
    " Setup_Tools == 83.0 ".replaceAll(" ", ""),
    { kind: "pins", pins: [{ project: "setup-tools", version: "83.0" }] },
  ],
  [
    "pandas==2.2, numpy==2.0.0rc1",
    {
      kind: "pins",
      pins: [
        { project: "numpy", version: "2.0.0rc1" },
        { project: "pandas", version: "2.2" },
      ],
    },
  ],
  [
    "./dist/A.b-1.0-py3-none-any.whl",
    { kind: "wheel", path: "./dist/A.b-1.0-py3-none-any.whl", project: "a-b", version: "1.0" },
  ],
  ["date:2026-10-01", { kind: "date", before: "2026-10-01T00:00:00.000Z" }],
  ["date:2026-10-01T12:00+02:00", { kind: "date", before: "2026-10-01T10:00:00.000Z" }],
  ["image:next", { kind: "image", image: "next" }],
  ["on:cpython-3.14", { kind: "interpreter", configuration: "cpython-3.14" }],
  ["env:PYTHONHASHSEED=0", { kind: "env", name: "PYTHONHASHSEED", value: "0" }],
  ["env:EMPTY=", { kind: "env", name: "EMPTY", value: "" }],
  ["env:TWO=a=b c", { kind: "env", name: "TWO", value: "a=b c" }],
])("%j is a side", (typed, side) => {
  expect(parseSide(typed)).toEqual(side);
});

test.each([
  ["", "a side is empty"],
  ["setuptools", "is no release"],
  ["setuptools>=83", "is no release"],
  ["setuptools==83.*", "is no release"],
  ["setuptools==83,<84", "is no release"],
  ["setuptools[x]==83", "is no release"],
  ["setuptools==83;python_version>'3'", "is no release"],
  ["a==1 a==2", "pins a twice"],
  ["x.whl", "is no wheel by its name"],
  ["date:2026-02-30", "is no date"],
  ["date:yesterday", "is no date"],
  ["date:2026", "is no date"],
  ["env:1A=0", "is no assignment"],
  ["env:A", "is no assignment"],
  ["env:PATH=/x", "the farm's own"],
  ["env:PIP_INDEX_URL=x", "the farm's own"],
  ["env:UV_DEFAULT_INDEX=x", "the farm's own"],
  ["env:CREAMERY_AUDIT=1", "the farm's own"],
  ["image:", "names no image"],
  ["on:", "names no configuration"],
  ["a\u0000b==1", "is no side"],
])("%j is none: %s", (typed, reason) => {
  const thrown = thrownBy(() => parseSide(typed));
  expect(thrown.message).toContain(reason);
  expect([thrown.exitCode, thrown.nextStep ?? ""]).toEqual([2, expect.stringMatching(/./u)]);
});

function thrownBy(run: () => unknown): CreameryError {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof CreameryError) return thrown;
    throw thrown;
  }
  throw new Error("nothing was thrown");
}

const pin = (version: string) => ({ kind: "pin", version });

test.each([
  ["x==1", "x==2", { kind: "release", project: "x", a: pin("1"), b: pin("2"), fixed: [] }],
  ["none", "x==2", { kind: "release", project: "x", a: { kind: "any" }, b: pin("2"), fixed: [] }],
  [
    "x==1 y==3",
    "x==2 y==3.0",
    {
      kind: "release",
      project: "x",
      a: pin("1"),
      b: pin("2"),
      fixed: [{ project: "y", version: "3" }],
    },
  ],
  [
    "x==1",
    "x==1 y==3",
    {
      kind: "release",
      project: "y",
      a: { kind: "any" },
      b: pin("3"),
      fixed: [{ project: "x", version: "1" }],
    },
  ],
  [
    "x==1",
    "d/x-2-py3-none-any.whl",
    {
      kind: "release",
      project: "x",
      a: pin("1"),
      b: { kind: "wheel", path: "d/x-2-py3-none-any.whl", version: "2" },
      fixed: [],
    },
  ],
  ["date:2026-01-01", "none", { kind: "date", a: "2026-01-01T00:00:00.000Z", b: null }],
  ["image:stable", "image:next", { kind: "image", a: "stable", b: "next" }],
  [
    "on:cpython-3.13",
    "on:cpython-3.14",
    { kind: "interpreter", a: "cpython-3.13", b: "cpython-3.14" },
  ],
  ["env:A=1", "env:A=2", { kind: "env", name: "A", a: "1", b: "2" }],
  ["none", "env:A=2", { kind: "env", name: "A", a: null, b: "2" }],
])("between %j and %j one thing changes", (a, b, change) => {
  expect(parseSides(a, b)).toEqual({ a, b, change });
});

test.each([
  ["none", "none", "the same"],
  ["x==1", "x==1.0", "the same"],
  ["x==1", "y==1", "more than one thing: x, y"],
  ["x==1 y==1", "x==2 y==2", "more than one thing: x, y"],
  ["x==1", "date:2026-01-01", "of two kinds"],
  ["date:2026-01-01", "x==1", "of two kinds"],
  ["date:2026-01-01", "date:2026-01-01T00:00:00Z", "the same"],
  ["image:stable", "none", "of two kinds"],
  ["none", "on:cpython-3.13", "of two kinds"],
  ["image:a", "image:a", "the same"],
  ["env:A=1", "env:B=1", "two variables"],
  ["env:A=1", "env:A=1", "the same"],
  ["env:A=1", "on:cpython-3.13", "of two kinds"],
])("%j and %j are refused: %s", (a, b, reason) => {
  const thrown = thrownBy(() => parseSides(a, b));
  expect(thrown.code).toBe("usage");
  expect(thrown.message).toContain(reason);
});
