import { expect, test } from "vitest";

import type { ChangeKind } from "../../model/settle-verdict.ts";
import { rootWords } from "./change-words.ts";
import { changesSentence } from "./changes-sentence.ts";

const BOTH: readonly ChangeKind[] = ["broke", "fixed"];

function sentence(
  [broke, fixed, changed = 0]: readonly number[],
  largest: { readonly root: string; readonly broke: number } | null = null,
  { days = 7, kinds = BOTH } = {},
): string {
  const counts = { broke: broke ?? 0, fixed: fixed ?? 0, changed, largest };
  return changesSentence(counts, { days, kinds });
}

test("says how many broke and were fixed, and what most of them have in common", () => {
  expect(sentence([12, 5], { root: "setuptools 82", broke: 7 })).toBe(
    "In the last 7 days 12 projects broke and 5 were fixed; 7 of the 12 since setuptools 82.",
  );
  expect(sentence([3, 1], { root: "cffi", broke: 3 })).toBe(
    "In the last 7 days 3 projects broke and 1 was fixed; all 3 because of cffi.",
  );
});

test("one, none and thousands are said as people say them", () => {
  const own = { root: "lmdb", broke: 1 };
  expect(sentence([1, 0], own, { days: 1 })).toBe(
    "In the last day 1 project broke and none were fixed.",
  );
  expect(sentence([0, 2])).toBe("In the last 7 days no projects broke and 2 were fixed.");
  expect(sentence([0, 0])).toBe("In the last 7 days nothing broke and nothing was fixed.");
  expect(sentence([12345, 1], own)).toContain("12,345 projects broke and 1 was fixed.");
});

test("each kind by itself has its own sentence", () => {
  const of = (kind: ChangeKind, counts: readonly number[]) =>
    sentence(counts, null, { days: 30, kinds: [kind] });
  expect(of("broke", [2, 9])).toBe("In the last 30 days 2 projects broke.");
  expect(of("fixed", [2, 0])).toBe("In the last 30 days nothing was fixed.");
  expect(of("changed", [0, 0, 1])).toBe(
    "In the last 30 days 1 project fails otherwise than before.",
  );
  expect(of("changed", [0, 0, 0])).toBe(
    "In the last 30 days nothing failed otherwise than before.",
  );
});

test("a root is said by what it is: a release that was new, a culprit, a cause", () => {
  expect(rootWords("numpy 2.4")).toBe("since numpy 2.4");
  expect(rootWords("cffi")).toBe("because of cffi");
  expect(rootWords("removed-api(imp)")).toBe("because it uses imp, which Python no longer has");
  // A project, not the cause that is called so.
  expect(rootWords("timeout")).toBe("because of timeout");
  expect(rootWords("a\u202e\u0001")).toBe(String.raw`because of a\u202e\x01`);
});
