import type { Axes } from "./axes.ts";
import { differingAxes } from "./axes.ts";
import type { Cause, Comparison, Outcome } from "./attempt.ts";

/** What a comparison needs of an attempt. */
export interface Comparable {
  readonly outcome: Outcome;
  readonly cause: Cause | null;
  readonly axes: Axes;
}

/** The axes that a new release may change and still be compared with the one before. */
const NEW_RELEASE: readonly (keyof Axes)[] = ["source", "plan"];

/** What may differ between an attempt and its baseline: nothing, but where the release is another. */
export function changingAxes(old: Axes, current: Axes): readonly (keyof Axes)[] {
  return old.source === current.source ? [] : NEW_RELEASE;
}

/** Inputs that moved for another reason than the release: what makes two attempts incomparable. */
export function movedAxes(old: Axes, current: Axes): (keyof Axes)[] {
  const changing = changingAxes(old, current);
  return differingAxes(old, current).filter((axis) => !changing.includes(axis));
}

/**
 * Two attempts of one project on one configuration. `old` null: no baseline; `current` null: what was
 * there is gone. Only `changing` axes may differ (a new release changes its source, a new image does not);
 * inputs that moved for another reason make it `incomparable`, never "regressed" (docs/results.md).
 */
export function compare(
  old: Comparable | null,
  current: Comparable | null,
  changing: readonly (keyof Axes)[],
): Comparison {
  if (current === null) return old === null ? "incomparable" : "removed";
  if (old === null) return "new";
  if (!isVerdict(old) || !isVerdict(current)) return "incomparable";
  if (differingAxes(old.axes, current.axes).some((axis) => !changing.includes(axis)))
    return "incomparable";
  const before = standing(old.outcome);
  const after = standing(current.outcome);
  switch (before) {
    case "good":
      switch (after) {
        case "good":
          return "still-pass";
        case "bad":
          return "new-fail";
        case "none":
          return "incomparable";
      }
      break;
    case "bad":
      switch (after) {
        case "good":
          return "fixed";
        case "bad":
          return sameCause(old.cause, current.cause) && old.outcome === current.outcome
            ? "still-fail"
            : "changed-cause";
        case "none":
          return "incomparable";
      }
      break;
    case "none":
      // A skip says nothing of passing or failing, but that the reason changed is worth a word.
      return after === "none" && !sameCause(old.cause, current.cause)
        ? "changed-cause"
        : "incomparable";
  }
}

export type Standing = "good" | "bad" | "none";

export function standing(outcome: Outcome): Standing {
  switch (outcome) {
    case "pass":
      return "good";
    case "fail":
    case "crash":
    case "killed":
    case "error":
      return "bad";
    case "skip":
      return "none";
  }
}

const FARM_CAUSES: ReadonlySet<string> = new Set([
  "vm-resume",
  "agent-lost",
  "index-mirror",
  "image-bad",
  "host",
  "machine-difference",
]);

/** What the farm did wrong or did not look for is neither a baseline nor news. */
export function isVerdict({ cause }: Pick<Comparable, "cause">): boolean {
  return cause === null || !(FARM_CAUSES.has(cause.kind) || cause.kind === "smoke-only");
}

export function sameCause(left: Cause | null, right: Cause | null): boolean {
  return left?.kind === right?.kind && left?.detail === right?.detail;
}
