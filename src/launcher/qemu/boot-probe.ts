import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { CreameryError } from "../../base/errors.ts";
import { loadImage } from "../../image/image-store.ts";
import type { Directories } from "../directories.ts";
import type { Guests } from "../guests.ts";
import type { MachineShape } from "../protocol.ts";
import type { Session } from "../session.ts";
import { machineInitrd } from "./guest-files.ts";
import { PROBE_BYTES, probeArguments } from "./machine-arguments.ts";
import { findQemu } from "./qemu-program.ts";
import { qemuStage } from "./qemu-stage.ts";

const BOOTED = "creamery: booted";

export interface ProbeOptions {
  readonly session: Session;
  readonly directories: Directories;
  readonly env: NodeJS.ProcessEnv;
  readonly guests: Guests;
  readonly imageId: string;
}

/** Boots a machine that only says so. */
export async function boots(
  { session, directories, env, guests, imageId }: ProbeOptions,
  accelerator: MachineShape["accelerator"],
  deadlineMs: number,
): Promise<{ works: boolean; reason: string }> {
  const qemu = await findQemu(env);
  const images = join(directories.cache, "images");
  const image = await loadImage(images, imageId);
  const boot = join(images, imageId, "boot");
  if (image.kernel === null)
    throw new CreameryError("image-bad", "the image has no kernel to boot", { input: imageId });
  const guestId = "kvm-probe";
  guests.prepare(guestId, "qemu");
  try {
    const prepared = guests.prepared(guestId);
    const files = join(session.repository, "guest");
    const initrd = join(prepared.directory, "initrd");
    await writeFile(
      initrd,
      await machineInitrd(readFileSync(join(boot, "initrd.img")), files, image, 0),
    );
    guests.start(guestId, {
      cpuSeconds: deadlineMs / 500,
      diskBytes: 0,
      limits: () => ({ memoryBytes: PROBE_BYTES, pids: 256 }),
      stage: (ready) =>
        qemuStage(ready, {
          writable: [],
          accelerator,
          files: { guest: files, vmlinuz: join(boot, "vmlinuz"), initrd },
          command: [qemu.path, ...probeArguments(accelerator, qemu)],
        }),
    });
    const timer = new AbortController();
    const said = await Promise.race([
      guests.ended(guestId),
      sleep(deadlineMs, null, { signal: timer.signal }),
    ]);
    timer.abort();
    if (said === null)
      return {
        works: false,
        reason: `${accelerator} did not boot a guest in ${deadlineMs / 1000} s`,
      };
    if (said.includes(BOOTED)) return { works: true, reason: `${accelerator} boots a guest` };
    const last = said.trim().split("\n").at(-1)?.slice(0, 200) ?? "";
    return { works: false, reason: `${accelerator} boots no guest: ${last || "it said nothing"}` };
  } finally {
    await guests.stop(guestId);
  }
}
