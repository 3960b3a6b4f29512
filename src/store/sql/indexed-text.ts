import { createHash } from "node:crypto";

import { withoutNul } from "./without-nul.ts";

/** PostgreSQL's btree refuses texts of more than about 2,700 bytes, which hostile test ids and versions can have. */
const MAX_BYTES = 2000;
const KEPT_CHARS = 400;

/** A text as an index of either database can hold it: a very long one is its beginning and a hash of the whole. */
export function indexedText(given: string): string {
  const text = withoutNul(given);
  if (text.length * 3 <= MAX_BYTES || Buffer.byteLength(text) <= MAX_BYTES) return text;
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 32);
  // Not in the middle of a pair of surrogates, which PostgreSQL would refuse.
  const beginning = text.slice(0, KEPT_CHARS).replace(/[\uD800-\uDBFF]$/u, "");
  return `${beginning}… (${hash})`;
}
