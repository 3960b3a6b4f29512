import { clip, printableLine } from "../../base/bounded-text.ts";
import type { Cause, CauseKind } from "../attempt.ts";

/** A rule of a table: the first that matches a text names its cause. Group 1 (or `detail`) is the cause's detail. */
export interface TextRule {
  readonly pattern: RegExp;
  readonly kind: CauseKind;
  /** Turns the match's groups into the detail; without it the cause has none. */
  readonly detail?: (match: RegExpExecArray) => string | undefined;
}

const MAX_DETAIL_CHARS = 120;

/** A cause with its detail made safe to show: the detail came out of a package's own words. */
export function causeOf(kind: CauseKind, detail?: string): Cause {
  return detail === undefined || detail === ""
    ? { kind }
    : { kind, detail: clip(printableLine(detail.trim()), MAX_DETAIL_CHARS) };
}

/** The first rule of the table that the text matches, in the table's order. */
export function firstCause(rules: readonly TextRule[], text: string): Cause | null {
  for (const rule of rules) {
    const match = rule.pattern.exec(text);
    if (match !== null) return causeOf(rule.kind, rule.detail?.(match));
  }
  return null;
}

/** The first group that took part in a match: for patterns with alternatives. */
export function anyGroup(match: RegExpExecArray): string | undefined {
  return match.slice(1).find((group) => group !== undefined);
}
