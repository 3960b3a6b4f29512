import { sha256OfFile } from "../base/hash-file.ts";
import { createHash } from "node:crypto";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";

/** One entry of an image's tree, in the order of the walk (bytewise by path). */
export interface TreeEntry {
  readonly path: string;
  readonly type: "file" | "directory" | "link" | "other";
  /** Permission bits, as a number. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Of a file's bytes, hexadecimal; a link's target; empty for the rest. */
  readonly content: string;
}

/**
 * Walks a tree in one fixed order. Times are left out: an image's are normalised.
 * @param parallel files hashed at a time.
 */
export async function* walkTree(
  root: string,
  signal?: AbortSignal,
  parallel = 16,
): AsyncGenerator<TreeEntry> {
  const pending: Promise<TreeEntry>[] = [];
  for await (const path of pathsOf(root, "")) {
    signal?.throwIfAborted();
    pending.push(entryOf(root, path));
    if (pending.length >= parallel) {
      const first = pending.shift();
      if (first !== undefined) yield first;
    }
  }
  for (const entry of pending) yield entry;
}

async function* pathsOf(root: string, below: string): AsyncGenerator<string> {
  const entries = await readdir(join(root, below), { withFileTypes: true });
  entries.sort((left, right) => Buffer.compare(Buffer.from(left.name), Buffer.from(right.name)));
  for (const entry of entries) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    yield path;
    if (entry.isDirectory()) yield* pathsOf(root, path);
  }
}

async function entryOf(root: string, path: string): Promise<TreeEntry> {
  const full = join(root, path);
  const stat = await lstat(full);
  const common = { path, mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid };
  if (stat.isFile())
    return { ...common, type: "file", sizeBytes: stat.size, content: await sha256OfFile(full) };
  if (stat.isDirectory()) return { ...common, type: "directory", sizeBytes: 0, content: "" };
  if (stat.isSymbolicLink())
    return { ...common, type: "link", sizeBytes: 0, content: await readlink(full) };
  return { ...common, type: "other", sizeBytes: 0, content: String(stat.rdev) };
}

/** One line of `tree.jsonl`. */
export function entryLine(entry: TreeEntry): string {
  return JSON.stringify([
    entry.path,
    entry.type,
    entry.mode.toString(8),
    entry.uid,
    entry.gid,
    entry.sizeBytes,
    entry.content,
  ]);
}

/** The path of a line of `tree.jsonl`; empty for what is no such line. */
export function pathOf(line: string): string {
  const parsed: unknown = JSON.parse(line);
  return Array.isArray(parsed) && typeof parsed[0] === "string" ? parsed[0] : "";
}

/** Compiled byte code says nothing that its source does not: it is verified, but no part of what an image is. */
export function isByteCode(path: string): boolean {
  return path.endsWith(".pyc") || path.endsWith("/__pycache__");
}

/** The hash of a canonical tree, fed entry by entry in the walk's order. */
export class TreeHash {
  readonly #hash = createHash("sha256");

  add(entry: TreeEntry): void {
    if (!isByteCode(entry.path)) this.#hash.update(`${entryLine(entry)}\n`);
  }

  digest(): string {
    return this.#hash.copy().digest("hex");
  }
}
