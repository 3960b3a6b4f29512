import { compareVersions, isPrerelease, parseVersion } from "../python/versions.ts";
import type { Cause, Outcome } from "./attempt.ts";
import type { Verdict } from "./classify.ts";
import { isVerdict, sameCause, standing } from "./compare.ts";
import { wantsConfirmation } from "./confirm.ts";
import type { SourceKind } from "./source.ts";

/** A result that was kept, as far as a later one is held against it. */
export interface SettledResult {
  readonly attempt: string;
  readonly version: string;
  readonly outcome: Outcome;
  readonly cause: Cause | null;
}

/** A result that was not looked at yet. */
export interface NewResult extends SettledResult, Verdict {
  readonly source: SourceKind;
  /** Why it was made (`JobReason`). */
  readonly reason: string;
}

/** How a project stands on a configuration, in its releases or on one branch. */
export interface Cell {
  /** The result that settled it last; null where none has. */
  readonly settled: SettledResult | null;
  /** One that failed, and settles nothing before another says the same. */
  readonly pending: SettledResult | null;
}

/** `broke`: it passed before; `fixed`: it did not; `changed`: it fails as before, otherwise. */
export const CHANGE_KINDS = ["broke", "fixed", "changed"] as const;
export type ChangeKind = (typeof CHANGE_KINDS)[number];

export interface VerdictChange {
  readonly kind: ChangeKind;
  readonly before: SettledResult;
}

/** Runs that look into another attempt, or try what nobody was given. */
const NO_NEWS: ReadonlySet<string> = new Set(["confirm", "reproduce", "blame", "experiment"]);

/** Confirmed by so many runs at least. */
const FEWEST_RUNS = 2;

/**
 * What a result says of where its project stands. `settles`: it is to be believed by itself; `waits`: once a second one says the same;
 * `nothing`: whatever the farm did wrong or did not look for, what did not repeat, and what is no news of a release or a branch.
 */
export function weightOf(result: NewResult): "settles" | "waits" | "nothing" {
  const { source, reason, outcome, confidence } = result;
  if ((source !== "release" && source !== "repository") || NO_NEWS.has(reason)) return "nothing";
  if (!isVerdict(result)) return "nothing";
  switch (standing(outcome)) {
    case "none":
      return "nothing";
    case "good":
      return "settles";
    case "bad":
      break;
  }
  switch (confidence.kind) {
    case "confirmed":
      return confidence.runs >= FEWEST_RUNS && confidence.agreed === confidence.runs
        ? "settles"
        : "nothing";
    case "inferred":
      return "settles";
    case "flaky":
      return "nothing";
    case "unconfirmed":
      // What a second run could have confirmed and did not; builds and installs have no second run.
      return wantsConfirmation(result) ? "nothing" : "waits";
  }
}

/**
 * A result held against how its project stood: how it stands now, and what of that is a change. The same once more is none, nor is the
 * first that settles; an older release, or an attempt that was begun earlier and comes late, changes nothing.
 */
export function settle(
  cell: Cell,
  result: NewResult,
): { readonly cell: Cell; readonly change: VerdictChange | null } {
  const { settled, pending } = cell;
  const unchanged = { cell, change: null };
  const weight = weightOf(result);
  if (weight === "nothing") return unchanged;
  if (settled !== null && isOlder(result, settled, result.source)) return unchanged;
  const supersedes = pending === null || !isOlder(result, pending, result.source);
  if (weight === "waits" && !(pending !== null && saysTheSame(pending, result)))
    return supersedes ? { cell: { settled, pending: asSettled(result) }, change: null } : unchanged;
  return {
    cell: { settled: asSettled(result), pending: supersedes ? null : pending },
    change: settled === null ? null : changeOf(settled, result),
  };
}

function changeOf(before: SettledResult, now: SettledResult): VerdictChange | null {
  const isGood = standing(now.outcome) === "good";
  if (isGood !== (standing(before.outcome) === "good"))
    return { kind: isGood ? "fixed" : "broke", before };
  const isSame = before.outcome === now.outcome && sameCause(before.cause, now.cause);
  return isSame ? null : { kind: "changed", before };
}

/** A second attempt of the same release that came to the same end. */
function saysTheSame(pending: SettledResult, result: SettledResult): boolean {
  return (
    pending.attempt !== result.attempt &&
    releaseOrder(pending.version, result.version) === 0 &&
    pending.outcome === result.outcome &&
    pending.cause?.kind === result.cause?.kind
  );
}

function isOlder(result: SettledResult, than: SettledResult, source: SourceKind): boolean {
  const order = source === "release" ? releaseOrder(result.version, than.version) : 0;
  // Ids are made in the order of time.
  return order === 0 ? result.attempt < than.attempt : order < 0;
}

/**
 * Negative, zero or positive: which of two releases people get. PEP 440, but that a final one comes after every pre-release, as installers
 * choose; what is no version comes first.
 */
function releaseOrder(left: string, right: string): number {
  const [one, other] = [parseVersion(left), parseVersion(right)];
  if (one === null || other === null) return Number(one !== null) - Number(other !== null);
  return Number(isPrerelease(other)) - Number(isPrerelease(one)) || compareVersions(one, other);
}

function asSettled({ attempt, version, outcome, cause }: SettledResult): SettledResult {
  return { attempt, version, outcome, cause };
}
