import {
  chmodSync,
  closeSync,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

import { readTar, refuse, type TarEntry } from "./read-tar.ts";

/** What an image's archive has at its top, and how large the records may be. */
const RECORDS: Readonly<Record<string, number>> = {
  "manifest.json": 4 * 1024 ** 2,
  "tree.jsonl": 256 * 1024 ** 2,
};
const BOOT_FILES: readonly string[] = ["boot/vmlinuz", "boot/initrd.img"];

interface Made {
  readonly path: string;
  readonly mode: number;
  readonly mtime: number;
}

/**
 * Unpacks an image's archive into an empty directory, which nobody else may reach. Each entry lies in a directory that was made
 * here for an entry before it, under a name that is new: so nothing is ever written through a link, nor over anything, nor
 * outside.
 * @throws CreameryError `bad-archive`; an error of the file system.
 */
export async function unpackTree(
  archive: AsyncIterable<Buffer>,
  into: string,
  maxBytes: number,
): Promise<void> {
  const directories = new Set<string>();
  const files = new Set<string>();
  const others = new Set<string>();
  const made: Made[] = [];
  for await (const entry of readTar(archive, maxBytes)) {
    const { path } = entry;
    assertPlace(entry);
    if (directories.has(path) || files.has(path) || others.has(path))
      throw refuse("two entries of one name", path);
    const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    if (parent !== "" && !directories.has(parent))
      throw refuse("an entry in what is no directory of the archive", path);
    const at = join(into, path);
    switch (entry.kind) {
      case "directory":
        // As it is to be only when it is full: it may be closed to whoever writes.
        mkdirSync(at, { mode: 0o700 });
        lchownSync(at, entry.uid, entry.gid);
        directories.add(path);
        made.push(entry);
        break;
      case "file":
        await writeFile(at, entry);
        files.add(path);
        break;
      case "hard-link":
        if (!files.has(entry.target) || topOf(entry.target) !== topOf(path))
          throw refuse("a hard link to what is no file before it", path);
        linkSync(join(into, entry.target), at);
        files.add(path);
        break;
      case "link":
        symlinkSync(entry.target, at);
        lchownSync(at, entry.uid, entry.gid);
        lutimesSync(at, entry.mtime, entry.mtime);
        others.add(path);
    }
  }
  if (!directories.has("rootfs")) throw refuse("it holds no tree");
  for (const needed of Object.keys(RECORDS))
    if (!files.has(needed)) throw refuse(`it holds no ${needed}`);
  for (const { path, mode, mtime } of made.toReversed()) {
    chmodSync(join(into, path), mode);
    lutimesSync(join(into, path), mtime, mtime);
  }
}

function topOf(path: string): string {
  return path.split("/", 1)[0] ?? "";
}

/** The image's own layout, and nothing else: what is not of the tree is read on this host. */
function assertPlace(entry: TarEntry): void {
  const { path, kind } = entry;
  const top = topOf(path);
  if (top === "rootfs" && (path !== top || kind === "directory")) return;
  const limit = RECORDS[path];
  if (kind === "file" && limit !== undefined && entry.sizeBytes <= limit) return;
  if (path === "boot" && kind === "directory") return;
  if (kind === "file" && BOOT_FILES.includes(path)) return;
  throw refuse("an entry that no image has", path);
}

async function writeFile(at: string, entry: TarEntry & { kind: "file" }): Promise<void> {
  // Made new, and never through a link.
  const file = openSync(at, "wx", 0o600);
  try {
    for await (const piece of entry.content)
      for (let from = 0; from < piece.length;) from += writeSync(file, piece, from);
    fchownSync(file, entry.uid, entry.gid);
    // After the owner, whose change takes such bits away.
    fchmodSync(file, entry.mode);
    futimesSync(file, entry.mtime, entry.mtime);
  } finally {
    closeSync(file);
  }
}
