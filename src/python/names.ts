/** Names of projects and extras: PEP 503 and PEP 508. */

// PEP 508; the i flag is ASCII here, and the dollar is the very end (no trailing newline).
const NAME = /^(?:[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9])$/i;

/** At most so many characters: no index has longer ones, and a name becomes part of paths and addresses. */
const MAX_NAME_CHARS = 214;

/** Is this a project's (or extra's) name as PEP 508 allows? */
export function isName(text: string): boolean {
  return text.length <= MAX_NAME_CHARS && NAME.test(text);
}

/** PEP 503: lower case, runs of `-_.` become one `-`. */
export function normaliseName(name: string): string {
  return name.replaceAll(/[-_.]+/g, "-").toLowerCase();
}
