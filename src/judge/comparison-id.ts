import { createHash } from "node:crypto";

import { newAttemptId } from "../store/attempt-id.ts";
import { COMPARISONS } from "../bucket/retention/kept-names.ts";
import type { ComparisonJson } from "./comparison-json.ts";

/** Of when it ended and of what was found: 16 characters, in the order of time, safe in keys and addresses. */
export function comparisonId(
  { a, b, compared, left }: Pick<ComparisonJson, "a" | "b" | "compared" | "left">,
  endedMs: number,
): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([a, b, compared, left]))
    .digest();
  return newAttemptId(endedMs, hash);
}

export function isComparisonId(text: string): boolean {
  return /^[0-9a-z]{16}$/u.test(text);
}

/** Where it lies in the bucket. */
export function comparisonKey(id: string): string {
  return `${COMPARISONS}${id}.json`;
}

/** The inverse of `comparisonKey`; null for any other key. */
export function comparisonOfKey(key: string): string | null {
  const id = key.startsWith(COMPARISONS) ? key.slice(COMPARISONS.length, -".json".length) : "";
  return isComparisonId(id) && comparisonKey(id) === key ? id : null;
}
