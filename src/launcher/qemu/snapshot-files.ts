import { execFile } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { open, readdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { CreameryError, diskFullFault, reasonOf } from "../../base/errors.ts";
import type { ImageManifest } from "../../image/manifest.ts";
import type { Sealed } from "./snapshot-manifest.ts";

const run = promisify(execFile);
const MKFS_MS = 20 * 60_000;
const MIB = 1024 * 1024;
/** What a file system needs beside the files, and each file of them. */
const ROOM = { factor: 1.15, bytesAFile: 1024, baseBytes: 128 * MIB };
/** A machine's own memory as it is when it is copied, and room to make it. */
const SPARE_BYTES = 1024 * MIB;
/** Of the scratch disk, what its file system keeps for itself. */
const SCRATCH_ROOM = { factor: 1.02, baseBytes: 8 * MIB };
const HALF_MADE = ".making";
const KERNEL_HEAD_BYTES = 64 * 1024;

/** Processes of the farm's virtual machines are in this group too: it may write to a template's memory file. */
export const SNAPSHOT_GID = 64124;

export function sealOf(path: string): Sealed {
  const { size, ctimeNs } = statSync(path, { bigint: true });
  return { sizeBytes: Number(size), changedNs: String(ctimeNs) };
}

export function isSealed(path: string, seal: Sealed): boolean {
  try {
    const now = sealOf(path);
    return now.sizeBytes === seal.sizeBytes && now.changedNs === seal.changedNs;
  } catch {
    return false;
  }
}

/** A file that nobody may write to while it is used, told by its own time of change: its name may go meanwhile. */
export class WatchedFile {
  readonly #file: number;
  readonly #before: string;

  private constructor(file: number) {
    this.#file = file;
    this.#before = this.#now();
  }

  /** Null where there is none. */
  static open(path: string): WatchedFile | null {
    try {
      return new WatchedFile(openSync(path, "r"));
    } catch {
      return null;
    }
  }

  isUntouched(): boolean {
    return this.#now() === this.#before;
  }

  close(): void {
    closeSync(this.#file);
  }

  #now(): string {
    const { size, mtimeNs } = fstatSync(this.#file, { bigint: true });
    return `${size} ${mtimeNs}`;
  }
}

/** What a launcher left that was killed while it made one. */
export async function removeHalfMadeDisks(directory: string): Promise<void> {
  for (const name of await readdir(directory).catch(() => []))
    if (name.endsWith(HALF_MADE)) await rm(join(directory, name), { force: true });
}

/** The image's root file system as a disk: made once of an image, and never changed. */
export async function makeImageDisk(
  image: Pick<ImageManifest, "files" | "sizeBytes">,
  rootfs: string,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const sizeBytes = Math.ceil(
    image.sizeBytes * ROOM.factor + image.files * ROOM.bytesAFile + ROOM.baseBytes,
  );
  const { bavail, bsize } = await statfs(join(path, ".."));
  if (bavail * bsize < image.sizeBytes + SPARE_BYTES)
    throw new CreameryError("disk-full", "a disk of the image needs more room than there is", {
      input: path,
      nextStep: `free ${Math.ceil((image.sizeBytes + SPARE_BYTES) / 1e9)} GB, or set directories.cache elsewhere`,
    });
  const making = `${path}${HALF_MADE}`;
  await rm(making, { force: true });
  try {
    await makeFileSystem(making, sizeBytes, ["-d", rootfs], signal);
    await sync(making);
    renameSync(making, path);
  } catch (thrown) {
    await rm(making, { force: true });
    throw thrown;
  }
}

/** Empty, sparse, of so many bytes for files. */
export async function makeScratchDisk(
  path: string,
  diskBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const inodes = Math.min(262_144, Math.ceil(diskBytes / (16 * 1024)));
  const sizeBytes = diskBytes * SCRATCH_ROOM.factor + SCRATCH_ROOM.baseBytes + inodes * 256;
  await makeFileSystem(path, Math.ceil(sizeBytes), ["-N", String(inodes)], signal);
}

/**
 * What a copy is given in place of kernel and initrd, as `vmlinuz` and `no-initrd`: it has booted already, QEMU wants to see that there
 * is one, and would hold all of it in memory.
 */
export function writeStubs(directory: string, kernel: Uint8Array): void {
  writeFileSync(join(directory, "vmlinuz"), kernel.subarray(0, KERNEL_HEAD_BYTES));
  writeFileSync(join(directory, "no-initrd"), Buffer.alloc(4));
}

/** A sparse file for the memory of a machine. */
export function makeMemoryFile(path: string, sizeBytes: number): void {
  const file = openSync(path, "wx", 0o660);
  try {
    ftruncateSync(file, sizeBytes);
  } finally {
    closeSync(file);
  }
  chownSync(path, 0, SNAPSHOT_GID);
  chmodSync(path, 0o660);
}

export async function sync(path: string): Promise<void> {
  await using file = await open(path, "r+");
  await file.sync();
}

async function makeFileSystem(
  path: string,
  sizeBytes: number,
  more: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const kib = Math.ceil(sizeBytes / 4096) * 4;
  // One guest's life is too short for a journal; nothing is kept for root; inode tables stay holes.
  const options = ["-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-O", "^has_journal"];
  try {
    await run(
      // It ends with the launcher, however that ends.
      "setpriv",
      [
        "--pdeathsig",
        "KILL",
        "mke2fs",
        ...options,
        "-E",
        "nodiscard,lazy_itable_init=1",
        ...more,
        path,
        `${kib}k`,
      ],
      { timeout: MKFS_MS, signal, env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" } },
    );
  } catch (thrown) {
    signal.throwIfAborted();
    const full = diskFullFault(thrown, path);
    if (full !== null) throw full;
    throw new CreameryError("host-lacks", `mke2fs can't make a disk: ${reasonOf(thrown)}`, {
      input: path,
      nextStep: "apt-get install e2fsprogs",
      cause: thrown,
    });
  }
}
