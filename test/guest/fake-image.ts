import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  mkdirSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import type { ImageManifest } from "../../src/image/manifest.ts";
import { sampleManifest } from "../../src/image/manifest.sample.ts";
import { sha256OfFile } from "../../src/base/hash-file.ts";
import { entryLine, TreeHash, walkTree } from "../../src/image/tree-hash.ts";

const EPOCH = 1_700_000_000;

/** A small image with one of each: as root, for it gives files away. @returns its id. */
export async function fakeImage(imagesDir: string, more = ""): Promise<ImageManifest> {
  const making = join(imagesDir, ".making");
  const rootfs = join(making, "rootfs");
  for (const path of ["usr/bin", "usr/lib/empty", "home/job", "tmp", `usr/${"long-".repeat(30)}`])
    mkdirSync(join(rootfs, path), { recursive: true });
  chmodSync(making, 0o755);
  const write = (path: string, content: string, mode = 0o644): void => {
    writeFileSync(join(rootfs, path), content);
    chmodSync(join(rootfs, path), mode);
    utimesSync(join(rootfs, path), EPOCH, EPOCH);
  };
  write("usr/bin/su", "#!/bin/sh\n", 0o4755);
  write("usr/bin/perl5", "perl".repeat(10_000), 0o755);
  linkSync(join(rootfs, "usr/bin/perl5"), join(rootfs, "usr/bin/perl"));
  write(`usr/${"long-".repeat(30)}/${"name".repeat(40)}.py`, `x = ${JSON.stringify(more)}\n`);
  write("usr/lib/zwölf.pyc", "byte code");
  write("usr/lib/shadow", "secret", 0o640);
  chownSync(join(rootfs, "usr/lib/shadow"), 0, 42);
  write("home/job/mine", "", 0o600);
  for (const path of ["home/job", "home/job/mine"]) chownSync(join(rootfs, path), 1000, 1000);
  chmodSync(join(rootfs, "tmp"), 0o1777);
  symlinkSync("/usr/bin", join(rootfs, "bin"));
  symlinkSync("../../../../etc/passwd", join(rootfs, "usr/lib/up"));
  lchownSync(join(rootfs, "usr/lib/up"), 1000, 1000);
  mkdirSync(join(making, "boot"));
  for (const name of ["vmlinuz", "initrd.img"]) writeFileSync(join(making, "boot", name), name);
  execFileSync("find", [making, "-exec", "touch", "-h", "-d", `@${EPOCH}`, "{}", "+"]);
  const hash = new TreeHash();
  const lines: string[] = [];
  for await (const entry of walkTree(rootfs)) {
    hash.add(entry);
    lines.push(`${entryLine(entry)}\n`);
  }
  writeFileSync(join(making, "tree.jsonl"), lines.join(""));
  const treeSha256 = hash.digest();
  const manifest: ImageManifest = {
    ...sampleManifest("2026.11.2"),
    id: `2026.11.2+${treeSha256.slice(0, 8)}`,
    version: "2026.11.2",
    treeSha256,
    files: lines.length,
    sizeBytes: statSync(join(rootfs, "usr/bin/perl")).size,
    kernel: {
      release: "6.12.1",
      vmlinuzSha256: await sha256OfFile(join(making, "boot/vmlinuz")),
      initrdSha256: await sha256OfFile(join(making, "boot/initrd.img")),
    },
  };
  writeFileSync(join(making, "manifest.json"), JSON.stringify(manifest));

  renameSync(making, join(imagesDir, manifest.id));
  return manifest;
}
