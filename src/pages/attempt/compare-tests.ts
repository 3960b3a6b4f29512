import type { TestOutcome, TestResult } from "../../model/attempt.ts";

/** What became of each test since the baseline; each list in the order of the report. */
export interface TestChanges {
  /** Fail now, and did not when they ran there. */
  readonly newlyFailing: readonly ChangedTest[];
  /** Failed there, and pass now. */
  readonly fixed: readonly ChangedTest[];
  readonly stillFailing: readonly ChangedTest[];
  /** Were not there at all. */
  readonly added: readonly ChangedTest[];
  readonly gone: readonly ChangedTest[];
  /** Pass both times, and take at least `SLOWER_TIMES` as long and `SLOWER_SECONDS` more. */
  readonly slower: readonly ChangedTest[];
}

export interface ChangedTest {
  readonly id: string;
  /** Null where it was, or is, not there. */
  readonly before: Ran | null;
  readonly now: Ran | null;
}

export interface Ran {
  readonly outcome: TestOutcome;
  readonly seconds: number;
}

export const SLOWER_TIMES = 2;
export const SLOWER_SECONDS = 1;

/** Both reports are of one project on one configuration. */
export function compareTests(
  before: readonly TestResult[],
  now: readonly TestResult[],
): TestChanges {
  const old = new Map(before.map((test) => [test.id, test]));
  const lists: Record<keyof TestChanges, ChangedTest[]> = {
    newlyFailing: [],
    fixed: [],
    stillFailing: [],
    added: [],
    gone: [],
    slower: [],
  };
  for (const test of now) {
    const was = old.get(test.id);
    old.delete(test.id);
    const changed = { id: test.id, before: was ?? null, now: test };
    if (was === undefined) lists.added.push(changed);
    if (isBad(test)) {
      if (was !== undefined) (isBad(was) ? lists.stillFailing : lists.newlyFailing).push(changed);
    } else if (was !== undefined && isGood(test)) {
      if (isBad(was)) lists.fixed.push(changed);
      else if (isGood(was) && isMuchSlower(was, test)) lists.slower.push(changed);
    }
  }
  for (const was of old.values()) lists.gone.push({ id: was.id, before: was, now: null });
  return lists;
}

function isMuchSlower(was: Ran, now: Ran): boolean {
  return now.seconds >= was.seconds * SLOWER_TIMES && now.seconds - was.seconds >= SLOWER_SECONDS;
}

export function isBad({ outcome }: Pick<TestResult, "outcome">): boolean {
  return outcome === "failed" || outcome === "error";
}

/** As it was meant: an expected failure is one too. */
function isGood({ outcome }: Pick<TestResult, "outcome">): boolean {
  return outcome === "passed" || outcome === "xpassed" || outcome === "xfailed";
}
