import { boundedText } from "./bounded-log.ts";
import type { TestCounts, TestReport } from "./attempt.ts";

/**
 * Counts read out of what a runner printed, where nothing was recorded: a runner of its own that uses neither pytest
 * nor unittest's result classes. Text is easily made to say anything, so such a report never makes a pass by itself;
 * it tells what there was, and counts as a failure where it says that something failed.
 */
export function reportFromText(output: string): TestReport | null {
  const text = boundedText(output);
  const counts = unittestCounts(text) ?? summaryCounts(text);
  if (counts === null) return null;
  return {
    counts,
    results: [],
    origin: "parsed",
    complete: false,
    contradictions: ["the counts were read from the output: nothing was recorded"],
    unfinished: [],
    imported: {},
    collectionErrors: [],
  };
}

/** `Ran 12 tests in 0.1s`, then `OK (skipped=1)` or `FAILED (failures=1, errors=2)`: unittest's words, and its likes'. */
function unittestCounts(text: string): TestCounts | null {
  const ran = [...text.matchAll(/^Ran (\d{1,9}) tests? in [\d.]{1,20} ?s/gmu)].at(-1);
  if (ran === undefined) return null;
  const after = text.slice(ran.index);
  const said = (word: string) =>
    Number(
      new RegExp(String.raw`^(?:OK|FAILED)\b.*\b${word}=(\d{1,9})`, "mu").exec(after)?.[1] ?? 0,
    );
  return countsOf(Number(ran[1]), said("failures"), said("errors"), said("skipped"));
}

/** `12 passed, 1 failed, 2 skipped`, in any order: pytest's last line, and that of many others. */
function summaryCounts(text: string): TestCounts | null {
  const line = text
    .split("\n")
    .findLast((one) => /\b\d{1,9} (?:tests? )?(?:passed|failed)\b/iu.test(one));
  if (line === undefined) return null;
  const said = (word: string) =>
    Number(new RegExp(String.raw`\b(\d{1,9}) (?:tests? )?${word}\b`, "iu").exec(line)?.[1] ?? 0);
  const [passed, failed, errors, skipped] = [
    said("passed"),
    said("failed"),
    said("errors?"),
    said("skipped"),
  ];
  return countsOf(passed + failed + errors + skipped, failed, errors, skipped);
}

function countsOf(collected: number, failed: number, errors: number, skipped: number): TestCounts {
  const passed = Math.max(0, collected - failed - errors - skipped);
  return { collected, passed, failed, errors, skipped, deselected: 0 };
}
