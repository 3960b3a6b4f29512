import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import type { Prepared } from "../guests.ts";
import type { MachineShape } from "../protocol.ts";
import { SNAPSHOT_GID } from "./snapshot-files.ts";

export interface QemuStage {
  readonly accelerator: MachineShape["accelerator"];
  /** By their names in the machine's root. */
  readonly files: Readonly<Record<string, string>>;
  /** Of them, those that QEMU may write to. */
  readonly writable: readonly string[];
  readonly command: readonly string[];
}

/** Links to all that start-guest.sh binds into the machine's own root, and its arguments. */
export function qemuStage(
  { directory, firstUid, sockets }: Prepared,
  { accelerator, files, writable, command }: QemuStage,
): string[] {
  const links = join(directory, "files");
  mkdirSync(links, { mode: 0o700 });
  for (const [name, path] of Object.entries(files)) symlinkSync(path, join(links, name));
  const uid = String(firstUid);
  const group = String(SNAPSHOT_GID);
  return [
    ["qemu", accelerator, directory, uid, group, sockets, links, writable.join(" ")],
    command,
  ].flat();
}
