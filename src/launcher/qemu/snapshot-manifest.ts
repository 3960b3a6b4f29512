import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { snapshotFactsShape } from "../protocol.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/u);

/** A file as it was when the snapshot was made: whoever writes to it changes its time, and has no power to put it back. */
const sealed = z.strictObject({ sizeBytes: z.number(), changedNs: z.string() });
export type Sealed = z.infer<typeof sealed>;

/** `manifest.json` of a snapshot. */
export const SnapshotManifest = z.strictObject({
  schema: z.literal(1),
  key: z.string(),
  imageId: z.string(),
  accelerator: z.enum(["tcg", "kvm"]),
  qemu: z.string(),
  memoryBytes: z.number(),
  diskBytes: z.number(),
  ram: sealed,
  scratch: sealed,
  stateSha256: sha256,
  stateBytes: z.number(),
  /** Of the machine's memory, what was written to when it was copied. */
  dirtyBytes: z.number(),
  ...snapshotFactsShape,
  madeAt: z.string(),
});
export type SnapshotManifest = z.infer<typeof SnapshotManifest>;

/** `<cache>/snapshots`. */
export function snapshotsDirectory({ cache }: { readonly cache: string }): string {
  return join(cache, "snapshots");
}

/** Null where there is none, or none that can be read: it is made again. */
export async function readSnapshot(
  directory: string,
  key: string,
): Promise<SnapshotManifest | null> {
  const text = await readFile(join(directory, key, "manifest.json"), "utf8").catch(() => null);
  if (text === null) return null;
  try {
    return SnapshotManifest.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Whole ones, newest first. */
export async function listSnapshots(directory: string): Promise<SnapshotManifest[]> {
  const names = await readdir(directory).catch(() => []);
  const read = await Promise.all(
    names.filter((name) => /^[0-9a-f]{16}$/u.test(name)).map((key) => readSnapshot(directory, key)),
  );
  return read
    .filter((one) => one !== null)
    .toSorted((left, right) => right.madeAt.localeCompare(left.madeAt));
}
