/** Where things lie in a bucket, as far as it decides what is kept. */

export const ATTEMPTS = "attempts/";
export const SOURCES = "sources/";
/** `comparisons/ID.json`: what `creamery compare` found. */
export const COMPARISONS = "comparisons/";
export const IMAGE_FILES = "image-files/";

/** What runs an attempt again: it names the sources that lie in the bucket. */
export const AGAIN = "again.json";

/** What is kept of an attempt that is pinned by nothing: hashes, and what was done with them. */
const LOCK_NAMES: ReadonlySet<string> = new Set([
  AGAIN,
  "pylock.toml",
  "pylock.build.toml",
  "record.json",
]);

export function isLockName(name: string): boolean {
  return LOCK_NAMES.has(name);
}

/** `attempts/ID/NAME`; null for any other key. */
export function attemptOf(key: string): { readonly id: string; readonly name: string } | null {
  const [, id, name] = /^attempts\/([^/]+)\/(.+)$/u.exec(key) ?? [];
  return id === undefined || name === undefined ? null : { id, name };
}
