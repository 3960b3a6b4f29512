import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import type { ImageManifest } from "../../image/manifest.ts";
import { cpioArchive, filler } from "./cpio.ts";

const run = promisify(execFile);
const TAR_MS = 60_000;
/** The same bytes of the same files, whoever has cloned them. */
const PACKED = [
  "--exclude=__pycache__",
  "--sort=name",
  "--mtime=@0",
  "--numeric-owner",
  "--owner=0",
  "--group=0",
  "--mode=go-w",
];
const MAX_TAR_BYTES = 16 * 1024 * 1024;

/** Hash of the guest's own files, names and modes included: another agent makes another snapshot. */
export function guestFilesHash(directory: string): string {
  const hash = createHash("sha256");
  for (const path of filesBelow(directory)) {
    const full = join(directory, path);
    hash.update(`${path}\0${(statSync(full).mode & 0o111) === 0 ? "" : "x"}\0`);
    hash.update(createHash("sha256").update(readFileSync(full)).digest());
  }
  return hash.digest("hex");
}

/** The image's initrd, and behind it what makes a guest of ours of it: `guest/`, what its job may use, and what is to be warmed. */
export async function machineInitrd(
  initrd: Buffer,
  guestDirectory: string,
  { interpreters }: Pick<ImageManifest, "interpreters">,
  memoryBytes: number,
): Promise<Buffer> {
  const { stdout: archive } = await run("tar", [...PACKED, "-C", guestDirectory, "-cf", "-", "."], {
    encoding: "buffer",
    maxBuffer: MAX_TAR_BYTES,
    timeout: TAR_MS,
  });
  const machine = {
    memoryBytes,
    interpreters: interpreters.map(({ name, executable, uv }) => ({ name, executable, uv })),
  };
  const ours = cpioArchive([
    { path: "creamery", mode: 0o40755, content: Buffer.alloc(0) },
    {
      path: "creamery/init",
      mode: 0o100755,
      content: readFileSync(join(guestDirectory, "machine/init")),
    },
    { path: "creamery/guest.tar", mode: 0o100644, content: archive },
    {
      path: "creamery/machine.json",
      mode: 0o100644,
      content: Buffer.from(JSON.stringify(machine)),
    },
  ]);
  return Buffer.concat([initrd, filler(initrd.length), ours]);
}

function filesBelow(directory: string, under = ""): string[] {
  return readdirSync(join(directory, under), { withFileTypes: true })
    .filter(({ name }) => name !== "__pycache__")
    .toSorted((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap((entry) => {
      const path = under === "" ? entry.name : `${under}/${entry.name}`;
      return entry.isDirectory() ? filesBelow(directory, path) : [path];
    });
}
