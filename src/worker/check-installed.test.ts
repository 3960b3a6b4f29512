import { expect, test } from "vitest";

import { markersOf } from "../python/interpreter-markers.ts";
import { checkInstalled } from "./check-installed.ts";

const environment = markersOf({
  implementation: "cpython",
  version: "3.13",
  fullVersion: "3.13.5",
});
const check = (...rows: readonly (readonly [string, string, ...string[]])[]) =>
  checkInstalled(
    rows.map(([name, version, ...requires]) => ({ name, version, requires })),
    environment,
  );

test("says what is missing and what has another version, by normalised names", () => {
  expect(
    check(["A.B", "1.0", "c_d>=2", "gone"], ["C-D", "1.9"], ["unrelated", "1", "c-d<2"]),
  ).toEqual([
    "A.B 1.0 requires c_d>=2, but 1.9 is installed",
    "A.B 1.0 requires gone, which is not installed",
  ]);
});

test("asks for nothing that a marker or an extra leaves out, and takes pre-releases as they are", () => {
  expect(
    check(
      ["a", "1", "old; python_version < '3'", "more; extra == 'x'", "b>=2a1", "not a requirement!"],
      ["b", "2.0b1"],
    ),
  ).toEqual([]);
});
