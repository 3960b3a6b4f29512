import type { RetainedAttempt, RetentionPolicy } from "./retention-facts.ts";

const DAY_MS = 24 * 3_600_000;

/** What is kept of an attempt, and why. */
export type Retention =
  | { readonly keeps: "whole"; readonly because: PinReason }
  /** What it was made of, by hash: it can be run again while upstream still has that. */
  | { readonly keeps: "lock" };

export type PinReason =
  | { readonly kind: "days" | "newest" | "canary" | "named-baseline" }
  | { readonly kind: "baseline"; readonly of: string };

/** Decides of one attempt after the other, newest first. Pure: what it remembers is what it was told. */
export class RetentionDecider {
  readonly #policy: RetentionPolicy;
  readonly #nowMs: number;
  /** By project and configuration. */
  readonly #groups = new Map<string, { results: number; awaiting: string | null }>();

  constructor(policy: RetentionPolicy, nowMs: number) {
    this.#policy = policy;
    this.#nowMs = nowMs;
  }

  decide(attempt: RetainedAttempt): Retention {
    const name = JSON.stringify([attempt.project, attempt.configuration]);
    const group = this.#groups.get(name) ?? { results: 0, awaiting: null };
    this.#groups.set(name, group);
    const awaiting = attempt.isComparable ? group.awaiting : null;
    if (attempt.isComparable) {
      group.results++;
      group.awaiting = null;
    }
    const own = this.#own(attempt, group.results);
    if (own !== null) {
      // A failure of the farm's is compared with nothing that matters.
      if (this.#policy.baselines && attempt.isComparable) group.awaiting = attempt.id;
      return { keeps: "whole", because: own };
    }
    if (awaiting !== null) return { keeps: "whole", because: { kind: "baseline", of: awaiting } };
    return { keeps: "lock" };
  }

  /** Why it is pinned for its own sake. */
  #own(attempt: RetainedAttempt, rank: number): PinReason | null {
    const { days, newest, baselines, canaries } = this.#policy;
    if (attempt.isComparable && rank <= newest) return { kind: "newest" };
    // Written so that a time that is none counts as young.
    if (!(this.#nowMs - attempt.startedMs >= days * DAY_MS)) return { kind: "days" };
    if (canaries && attempt.isCanary) return { kind: "canary" };
    if (baselines && attempt.isNamedBaseline) return { kind: "named-baseline" };
    return null;
  }
}

/** @param attempts newest first. */
export function retentionOf(
  attempts: Iterable<RetainedAttempt>,
  policy: RetentionPolicy,
  nowMs: number,
): ReadonlyMap<string, Retention> {
  const decider = new RetentionDecider(policy, nowMs);
  const decided = new Map<string, Retention>();
  for (const attempt of attempts) decided.set(attempt.id, decider.decide(attempt));
  return decided;
}

/** For a person. */
export function pinText(because: PinReason, { days }: RetentionPolicy): string {
  switch (because.kind) {
    case "days":
      return `of the last ${days} days`;
    case "newest":
      return "a newest result";
    case "canary":
      return "a canary";
    case "named-baseline":
      return "a baseline";
    case "baseline":
      return `the baseline of ${because.of}`;
  }
}
