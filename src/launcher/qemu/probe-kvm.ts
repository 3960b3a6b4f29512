import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import type { ProbeOptions } from "./boot-probe.ts";
import { qemuPath } from "./qemu-program.ts";
import { sealOf } from "./snapshot-files.ts";
import { snapshotsDirectory } from "./snapshot-manifest.ts";

/** A real KVM boots it in two seconds; one that only seems to hangs for ever. */
const PROBE_MS = 10_000;

const Known = z.strictObject({
  bootId: z.string(),
  /** The program as it was: another one is asked again. */
  qemu: z.string(),
  works: z.boolean(),
  reason: z.string(),
});

/**
 * Whether KVM runs a guest of this image. A device that opens is not enough: some hosts have one that runs nothing. The answer
 * holds until the host or its QEMU is another one.
 * @throws CreameryError `host-lacks` without QEMU, `unknown-image`.
 */
export async function probeKvm(
  options: ProbeOptions,
  onProbe: () => void = () => undefined,
): Promise<{ works: boolean; reason: string }> {
  const program = qemuPath(options.env);
  if (!existsSync(program)) return { works: false, reason: `there is no ${program}` };
  const qemu = JSON.stringify([program, sealOf(program)]);
  const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  const directory = snapshotsDirectory(options.directories);
  const path = join(directory, "kvm.json");
  const known = await readKnown(path);
  if (known?.bootId === bootId && known.qemu === qemu)
    return { works: known.works, reason: known.reason };
  onProbe();
  const { boots } = await import("./boot-probe.ts");
  const found = await boots(options, "kvm", PROBE_MS);
  await mkdir(directory, { recursive: true });
  const written = `${path}.${options.session.id}`;
  await writeFile(written, `${JSON.stringify({ bootId, qemu, ...found })}\n`);
  await rename(written, path);
  return found;
}

async function readKnown(path: string): Promise<z.infer<typeof Known> | null> {
  try {
    return Known.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return null;
  }
}
