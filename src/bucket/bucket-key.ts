import { CreameryError } from "../base/errors.ts";

const MAX_CHARS = 512;
const PART = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/u;

/** Beside each blob of a directory: no key may look so. */
export const NOTE_SUFFIX = ".blob.json";

/** Whether a text may be a key: the same for every kind of bucket, so that one can be copied into another. */
export function isKey(text: string): boolean {
  return (
    text.length <= MAX_CHARS &&
    text.split("/").every((part) => PART.test(part) && !part.endsWith(NOTE_SUFFIX))
  );
}

/** @throws CreameryError `bucket`. */
export function assertKey(key: string): void {
  if (!isKey(key)) throw new CreameryError("bucket", "is no key", { input: key.slice(0, 100) });
}

/** Empty, or a key with a slash after it. @throws CreameryError `bucket`. */
export function assertPrefix(prefix: string): void {
  if (prefix === "" || (prefix.endsWith("/") && isKey(prefix.slice(0, -1)))) return;
  throw new CreameryError("bucket", "is no prefix: it must end with a slash", {
    input: prefix.slice(0, 100),
  });
}
