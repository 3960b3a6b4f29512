import { appendFile, copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";

import { clip, printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import type { ImageDefinition } from "./definition.ts";
import type { ImageManifest } from "./manifest.ts";
import { runInRoot } from "./run-contained.ts";
import { sha256OfFile } from "../base/hash-file.ts";

const DEADLINE_MS = 10 * 60_000;
// Beside what initramfs-tools takes by itself: a guest's root is an overlay, its channel a virtio console.
const MODULES = [
  "overlay",
  "virtio_blk",
  "virtio_console",
  "virtio_net",
  "virtio_pci",
  "virtio_rng",
];

export interface BootRequest {
  readonly definition: ImageDefinition;
  readonly rootfs: string;
  /** Gets `vmlinuz` and `initrd.img`. */
  readonly bootDir: string;
  readonly signal: AbortSignal;
}

/**
 * Moves the kernel out of a root file system: its image and an initrd with all modules go to `bootDir`, its
 * packages go. Null where the definition asks for none.
 * @throws CreameryError `image-build`.
 */
export async function moveKernelOut({
  definition,
  rootfs,
  bootDir,
  signal,
}: BootRequest): Promise<ImageManifest["kernel"]> {
  const packages = definition.packages["kernel"] ?? [];
  const [release] = await readdir(join(rootfs, "usr/lib/modules")).catch(() => []);
  if (packages.length === 0) return null;
  if (release === undefined)
    throw new CreameryError("image-build", "the kernel's packages brought no modules", {
      input: packages.join(" "),
    });
  await appendFile(join(rootfs, "etc/initramfs-tools/modules"), `${MODULES.join("\n")}\n`);
  const run = async (argv: readonly [string, ...string[]]) => {
    const { code, tail } = await runInRoot({
      rootfs,
      argv,
      owner: "0:0",
      env: {
        DEBIAN_FRONTEND: "noninteractive",
        SOURCE_DATE_EPOCH: String(definition.epoch),
        INITRD: "No",
      },
      deadlineMs: DEADLINE_MS,
      signal,
    });
    if (code !== 0)
      throw new CreameryError(
        "image-build",
        `${argv[0]} failed: ${clip(printableLine(tail.at(-1) ?? ""), 300)}`,
        { input: release },
      );
  };
  await run(["mkinitramfs", "-o", "/boot/initrd.img", release]);
  await mkdir(bootDir, { recursive: true });
  await copyFile(join(rootfs, "boot", `vmlinuz-${release}`), join(bootDir, "vmlinuz"));
  await copyFile(join(rootfs, "boot/initrd.img"), join(bootDir, "initrd.img"));
  await run([
    "sh",
    "-c",
    `rm /boot/initrd.img && apt-get -q -y -o APT::AutoRemove::SuggestsImportant=false purge --autoremove 'linux-image-*' ${packages.join(" ")} && rm -rf /usr/lib/modules /etc/initramfs-tools`,
  ]);
  return {
    release,
    vmlinuzSha256: await sha256OfFile(join(bootDir, "vmlinuz")),
    initrdSha256: await sha256OfFile(join(bootDir, "initrd.img")),
  };
}
