/** Versions by PEP 440: parsing, canonical form, order. */

export interface Version {
  readonly epoch: number;
  readonly release: readonly number[];
  readonly pre: readonly ["a" | "b" | "rc", number] | null;
  readonly post: number | null;
  readonly dev: number | null;
  readonly local: readonly (string | number)[];
}

const MAX_VERSION_CHARS = 300;

// PEP 440, appendix B. Numbers are bounded so that they stay exact.
export const VERSION_SOURCE =
  "v?(?:([0-9]{1,15})!)?([0-9]{1,15}(?:\\.[0-9]{1,15})*)" +
  "(?:[-_.]?(alpha|beta|preview|pre|a|b|c|rc)[-_.]?([0-9]{0,15}))?" +
  "(?:-([0-9]{1,15})|[-_.]?(post|rev|r)[-_.]?([0-9]{0,15}))?" +
  "(?:[-_.]?(dev)[-_.]?([0-9]{0,15}))?" +
  "(?:\\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?";
const VERSION = new RegExp(`^\\s*${VERSION_SOURCE}\\s*$`, "i");

/** The version, or null when the text is none by PEP 440. */
export function parseVersion(text: string): Version | null {
  if (text.length > MAX_VERSION_CHARS) return null;
  const match = VERSION.exec(text);
  if (match === null) return null;
  const [
    ,
    epoch,
    release = "0",
    preWord,
    preNumber,
    implicitPost,
    postWord,
    postNumber,
    devWord,
    devNumber,
    local,
  ] = match;
  return {
    epoch: Number(epoch ?? 0),
    release: release.split(".").map(Number),
    pre: preWord === undefined ? null : [preLetter(preWord), Number(preNumber ?? 0)],
    post:
      implicitPost !== undefined
        ? Number(implicitPost)
        : postWord === undefined
          ? null
          : Number(postNumber ?? 0),
    dev: devWord === undefined ? null : Number(devNumber ?? 0),
    local:
      local === undefined
        ? []
        : local
            .toLowerCase()
            .split(/[-_.]/)
            .map((part) => (/^[0-9]{1,15}$/.test(part) ? Number(part) : part)),
  };
}

function preLetter(word: string): "a" | "b" | "rc" {
  switch (word.toLowerCase()) {
    case "a":
    case "alpha":
      return "a";
    case "b":
    case "beta":
      return "b";
    default:
      return "rc";
  }
}

/** The canonical text (PEP 440 "Normalization"); trailing zeros of the release are kept. */
export function formatVersion(version: Version): string {
  const epoch = version.epoch === 0 ? "" : `${version.epoch}!`;
  const pre = version.pre === null ? "" : version.pre.join("");
  const post = version.post === null ? "" : `.post${version.post}`;
  const dev = version.dev === null ? "" : `.dev${version.dev}`;
  const local = version.local.length === 0 ? "" : `+${version.local.join(".")}`;
  return `${epoch}${version.release.join(".")}${pre}${post}${dev}${local}`;
}

/** A pre-release or development release (PEP 440): never chosen unless asked for. */
export function isPrerelease(version: Version): boolean {
  return version.pre !== null || version.dev !== null;
}

/** Without its local part. */
export function publicVersion(version: Version): Version {
  return { ...version, local: [] };
}

/** Do two texts name the same version (`1.0` and `1.0.0`, `1.0-rc1` and `1.0rc1`)? Texts that are no versions are compared as they are. */
export function sameVersion(left: string, right: string): boolean {
  const [one, other] = [parseVersion(left), parseVersion(right)];
  return one !== null && other !== null ? compareVersions(one, other) === 0 : left === right;
}

/** Negative, zero or positive: the order of PEP 440, local versions included. */
export function compareVersions(left: Version, right: Version): number {
  return (
    left.epoch - right.epoch ||
    compareRelease(left.release, right.release) ||
    comparePre(left, right) ||
    (left.post ?? -1) - (right.post ?? -1) ||
    // No dev part sorts after any.
    (left.dev ?? Number.MAX_SAFE_INTEGER) - (right.dev ?? Number.MAX_SAFE_INTEGER) ||
    compareLocal(left.local, right.local)
  );
}

/** Release segments, the shorter filled with zeros. */
export function compareRelease(left: readonly number[], right: readonly number[]): number {
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function comparePre(left: Version, right: Version): number {
  return preRank(left) - preRank(right) || (left.pre?.[1] ?? 0) - (right.pre?.[1] ?? 0);
}

function preRank(version: Version): number {
  if (version.pre === null) return version.post === null && version.dev !== null ? 0 : 4;
  return { a: 1, b: 2, rc: 3 }[version.pre[0]];
}

function compareLocal(left: Version["local"], right: Version["local"]): number {
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const [one = "", other = ""] = [left[index], right[index]];
    if (one === other) continue;
    if (typeof one === "number" && typeof other === "number") return one - other;
    // Numbers sort after text.
    if (typeof one === "number") return 1;
    if (typeof other === "number") return -1;
    return one < other ? -1 : 1;
  }
  return left.length - right.length;
}
