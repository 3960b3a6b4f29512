import type { Outcome } from "../../model/attempt.ts";
import { causeGroup, parseCause } from "../../model/result-words.ts";
import { html, type Html } from "./html.ts";

/**
 * How a verdict looks at a glance. `farm` is whatever is not the package's: the farm failed, or has to explain a difference
 * between machines; it is never shown as a failure.
 */
export const LOOKS = [
  "pass",
  "fail",
  "crash",
  "killed",
  "skip",
  "error",
  "farm",
  "waiting",
] as const;
export type Look = (typeof LOOKS)[number];

/** Each look by a sign of its own, for where there is room for no word; colour only helps. */
export const SIGNS: Readonly<Record<Look, string>> = {
  pass: "✓",
  fail: "✗",
  crash: "!",
  killed: "×",
  skip: "–",
  error: "E",
  farm: "?",
  waiting: "…",
};

const WORDS: Readonly<Record<Look, string>> = {
  pass: "pass",
  fail: "fail",
  crash: "crash",
  killed: "killed",
  skip: "skip",
  error: "error",
  farm: "no verdict",
  waiting: "waiting",
};

/** Of a result as the store has it. @param causeKind `timeout`, without its detail; null on a pass. */
export function lookOf(outcome: Outcome, causeKind: string | null): Look {
  const cause = causeKind === null ? null : parseCause(causeKind);
  if (cause !== null && (causeGroup(cause.kind) === "farm" || cause.kind === "machine-difference"))
    return "farm";
  return outcome;
}

export function wordOf(look: Look): string {
  return WORDS[look];
}

/** Sign and word, in the look's colour. */
export function verdictMark(look: Look): Html {
  return html`<span class="verdict v-${look}"><span aria-hidden="true">${SIGNS[look]}</span> ${WORDS[look]}</span>`;
}
