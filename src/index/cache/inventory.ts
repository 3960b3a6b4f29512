import { lstat, readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { CreameryError } from "../../base/errors.ts";

/** What the mirror keeps below its directory, as a person counts it: a page is one, though it lies in two files. */

export const KEPT_AREAS = ["files", "pages", "metadata", "provenance", "crates", "git"] as const;
export type KeptArea = (typeof KEPT_AREAS)[number];

export interface KeptUnit {
  readonly area: KeptArea;
  /** Its sha256, its project, its crate. */
  readonly name: string;
  /** Absolute, in the order in which they are to be removed: a half that is left then is none. Of a repository its directory. */
  readonly paths: readonly string[];
  readonly bytes: number;
  /** When it was last used, ms since 1970, an hour too early at most. */
  readonly usedMs: number;
}

/** What lies there besides and is never served: it goes once it is old. */
export interface Leftover {
  readonly kind: "half-written" | "quarantined";
  readonly path: string;
  readonly bytes: number;
  readonly madeMs: number;
}

export interface Inventory {
  readonly units: readonly KeptUnit[];
  readonly leftovers: readonly Leftover[];
  /** Files that say of a file without a hash on its page which content it has. */
  readonly names: readonly { readonly path: string; readonly bytes: number }[];
  /** Downloads that are on their way. */
  readonly partialBytes: number;
  /** By the name of what is none of these: it has other keepers, and is counted alone. */
  readonly others: ReadonlyMap<string, { readonly files: number; readonly bytes: number }>;
}

/** In the directory of each mirror of a repository: written when it was fetched, and its use is noted there. */
export const MIRROR_STATE = "creamery.json";
export const QUARANTINE = "quarantine";
export const SHA256 = /^[0-9a-f]{64}$/u;
export const KEY = /^(?:u-)?[0-9a-f]{64}$/u;
/** Of `replaceFile`: what its process did not come to rename. */
const HALF = /\.\d+\.[0-9a-z]+$/u;
const AT_ONCE = 64;

/** @param directory the index's own. @throws CreameryError `unreadable-path`, or the signal's reason. */
export async function takeInventory(directory: string, signal: AbortSignal): Promise<Inventory> {
  const units: KeptUnit[] = [];
  const leftovers: Leftover[] = [];
  const others = new Map<string, { files: number; bytes: number }>();
  let partialBytes = 0;
  const pages = new Map<string, Found[]>();
  const names: Found[] = [];
  const repositories = new Map<string, Found[]>();
  for await (const found of filesBelow(directory, signal)) {
    const [root = "", second = ""] = found.at;
    const name = basename(found.path);
    const leave = (kind: Leftover["kind"]): void => {
      leftovers.push({ kind, path: found.path, bytes: found.bytes, madeMs: found.mtimeMs });
    };
    const keep = (area: KeptArea): void => {
      const { path, bytes, mtimeMs: usedMs } = found;
      units.push({ area, name, paths: [path], bytes, usedMs });
    };
    if (root === QUARANTINE) leave("quarantined");
    else if (root === "files" && second === "partial") partialBytes += found.bytes;
    else if (root === "files" && second === "sha256" && SHA256.test(name)) keep("files");
    else if (root === "files" && second === "unhashed" && KEY.test(name)) names.push(found);
    else if (root === "pages" && /\.(?:json|page\.gz)$/u.test(name)) {
      const whole = found.path.replace(/\.(?:json|page\.gz)$/u, "");
      pages.set(whole, [...(pages.get(whole) ?? []), found]);
    } else if ((root === "metadata" || root === "provenance") && KEY.test(name)) keep(root);
    else if (root === "git" && second.endsWith(".git"))
      repositories.set(second, [...(repositories.get(second) ?? []), found]);
    else if (root === "crates" && !HALF.test(name)) keep("crates");
    else if (KEPT_AREAS.some((area) => area === root) && HALF.test(name)) leave("half-written");
    else {
      // Beside the mirrors of repositories lie their locks, and trees taken out of them.
      const keeper = root === "git" ? `${root}/${second}` : root;
      const counted = others.get(keeper) ?? { files: 0, bytes: 0 };
      others.set(keeper, { files: counted.files + 1, bytes: counted.bytes + found.bytes });
    }
  }
  for (const [whole, parts] of pages) units.push(pageOf(whole, parts));
  for (const [name, parts] of repositories)
    units.push(repositoryOf(name, join(directory, "git", name), parts));
  return { units, leftovers, names, partialBytes, others };
}

/** Its facts first: without them the body is no page. */
function pageOf(whole: string, parts: readonly Found[]): KeptUnit {
  const ordered = parts.toSorted((left, right) => (left.path < right.path ? -1 : 1));
  return {
    area: "pages",
    name: `${basename(dirname(dirname(whole)))}/${basename(whole)}`,
    paths: ordered.map(({ path }) => path),
    bytes: ordered.reduce((sum, { bytes }) => sum + bytes, 0),
    usedMs: Math.max(...ordered.map(({ mtimeMs }) => mtimeMs)),
  };
}

/** Its use is noted by what says when it was fetched. */
function repositoryOf(name: string, path: string, parts: readonly Found[]): KeptUnit {
  const noted = parts.filter((part) => part.path === join(path, MIRROR_STATE));
  return {
    area: "git",
    name,
    paths: [path],
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    usedMs: Math.max(...(noted.length === 0 ? parts : noted).map(({ mtimeMs }) => mtimeMs)),
  };
}

interface Found {
  readonly path: string;
  /** Names from the directory down, without its own. */
  readonly at: readonly string[];
  readonly bytes: number;
  readonly mtimeMs: number;
}

async function* filesBelow(
  directory: string,
  signal: AbortSignal,
  above: readonly string[] = [],
): AsyncGenerator<Found> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((cause: unknown) => {
    // Removed meanwhile, or nothing was ever kept.
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return [];
    throw new CreameryError("unreadable-path", "can't be listed", { input: directory, cause });
  });
  for (let at = 0; at < entries.length; at += AT_ONCE) {
    signal.throwIfAborted();
    const files = entries.slice(at, at + AT_ONCE).filter((entry) => entry.isFile());
    const stats = await Promise.all(
      files.map(({ name }) => lstat(join(directory, name)).catch(() => null)),
    );
    for (const [index, { name }] of files.entries()) {
      const found = stats[index];
      if (found === undefined || found === null) continue;
      const { size: bytes, mtimeMs } = found;
      yield { path: join(directory, name), at: [...above, name], bytes, mtimeMs };
    }
  }
  for (const entry of entries)
    if (entry.isDirectory())
      yield* filesBelow(join(directory, entry.name), signal, [...above, entry.name]);
}
