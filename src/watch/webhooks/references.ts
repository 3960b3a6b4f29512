import { z } from "zod";

import type { PushedReference } from "./delivery.ts";

// What git's check-ref-format refuses, and what no git on any file system has.
const REFUSED = /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)|^[-/.]|[/.]$|^@$/u;
const MAX_CHARS = 200;

/** Of a branch or tag, without `refs/heads/` or `refs/tags/`. */
export function isReferenceName(name: string): boolean {
  return name !== "" && name.length <= MAX_CHARS && name.isWellFormed() && !REFUSED.test(name);
}

/** An object's id: SHA-1 or SHA-256. */
export const ObjectId = z
  .string()
  .regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/iu)
  .transform((text) => text.toLowerCase());

export function isNoObject(id: string): boolean {
  return /^0+$/u.test(id);
}

/** `refs/heads/main` or `refs/tags/v1`; null for references of other kinds, and for names that git does not take. */
export function splitReference(ref: string): Pick<PushedReference, "name" | "kind"> | null {
  const kind = ref.startsWith("refs/heads/")
    ? "branch"
    : ref.startsWith("refs/tags/")
      ? "tag"
      : null;
  if (kind === null) return null;
  const name = ref.slice(kind === "branch" ? "refs/heads/".length : "refs/tags/".length);
  return isReferenceName(name) ? { name, kind } : null;
}

/** A full ref that now is at `id`; at the id of nothing but zeros it is gone. Null as in `splitReference`. */
export function pushedReference(ref: string, id: string): PushedReference | null {
  const split = splitReference(ref);
  if (split === null) return null;
  const deleted = isNoObject(id);
  return { ...split, commit: deleted ? null : id, deleted };
}
