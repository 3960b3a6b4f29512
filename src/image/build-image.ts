import { createWriteStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, statfs, unlink, writeFile, copyFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { finished } from "node:stream/promises";

import { CreameryError, reasonOf } from "../base/errors.ts";
import { aptPreferences, aptSources, readDefinition, wantedPackages, type ImageDefinition } from "./definition.ts";
import { definitionHash } from "./definition-hash.ts";
import { fetchTools } from "./fetch-tools.ts";
import { hostMirror } from "./host-mirror.ts";
import { currentImage } from "./image-store.ts";
import type { ImageManifest } from "./manifest.ts";
import { installedPackages } from "./installed-packages.ts";
import { normaliseTree } from "./normalise-tree.ts";
import { proveInterpreters } from "./prove-interpreters.ts";
import { runStep } from "./run-step.ts";
import { entryLine, sha256Of, TreeHash, walkTree } from "./tree-hash.ts";

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const BUILT_BY = "creamery 0.1.0";

/** What a build is doing, for whoever watches. */
export interface BuildProgress {
  /** `packages`, `tools`, `proof`, `byte code`, `hash`, `ready`. */
  readonly step: string;
  readonly detail: string;
  /** Since the build began. */
  readonly seconds: number;
}

export interface BuildOptions {
  readonly definitionDir: string;
  readonly imagesDir: string;
  /** Builds even when an image of this definition is there. */
  readonly force?: boolean;
  readonly onProgress?: (progress: BuildProgress) => void;
  readonly signal: AbortSignal;
}

/**
 * Builds the image of a definition, as root, or answers with the one that is there. What is half made lies
 * in a `.building-*` directory that the next build removes; an image appears whole, by one rename.
 * @throws CreameryError `image-build`, `host-lacks`, `disk-full`, `no-network`, `configuration-file`.
 */
export async function buildImage(options: BuildOptions): Promise<ImageManifest> {
  const { definitionDir, imagesDir, signal } = options;
  const definition = await readDefinition(definitionDir);
  const definitionSha256 = await definitionHash(definitionDir);
  await mkdir(imagesDir, { recursive: true });
  await using lock = await lockDirectory(imagesDir, signal, (pid) =>
    options.onProgress?.({ step: "waiting", detail: `another build (process ${pid}) is at it`, seconds: 0 }),
  );
  void lock;
  const present = await currentImage(imagesDir, definitionSha256);
  if (present !== null && options.force !== true) return present;
  for (const name of await readdir(imagesDir)) {
    if (name.startsWith(".building-") || name.startsWith(".removing-")) await rm(join(imagesDir, name), { recursive: true, force: true });
  }
  await needRoom(imagesDir, definition.needs_bytes);
  const place = join(imagesDir, `.building-${process.pid}`);
  try {
    return await buildIn(place, definition, definitionSha256, options);
  } catch (thrown) {
    await rm(place, { recursive: true, force: true });
    signal.throwIfAborted();
    throw thrown;
  }
}

async function buildIn(place: string, definition: ImageDefinition, definitionSha256: string, options: BuildOptions): Promise<ImageManifest> {
  const { definitionDir, imagesDir, signal } = options;
  const began = performance.now();
  const seconds = () => Math.round((performance.now() - began) / 100) / 10;
  const say = (step: string, detail: string) => options.onProgress?.({ step, detail, seconds: seconds() });
  const rootfs = join(place, "rootfs");
  await mkdir(place);

  say("tools", definition.tools.map((tool) => tool.name).join(", "));
  await fetchTools(definition, join(place, "tools"), signal);

  const mirror = await hostMirror(signal);
  await writeFile(join(place, "preferences"), aptPreferences(definition));
  await writeFile(join(place, "sources.list"), aptSources(definition, mirror, KEYRING));
  const wanted = wantedPackages(definition);
  say("packages", `${wanted.length} and what they need, about 700 MB to unpack, about two minutes`);
  let fetched = 0;
  await runStep({
    argv: [
      "mmdebstrap",
      "--variant=apt",
      "--mode=root",
      "--format=directory",
      `--architectures=${definition.architecture}`,
      "--skip=cleanup/apt",
      "--aptopt=Apt::Install-Recommends \"false\"",
      "--aptopt=Acquire::Languages \"none\"",
      "--aptopt=Acquire::Retries \"3\"",
      "--dpkgopt=force-unsafe-io",
      "--dpkgopt=path-exclude=/usr/share/doc/*",
      "--dpkgopt=path-exclude=/usr/share/info/*",
      "--dpkgopt=path-exclude=/usr/share/locale/*",
      "--setup-hook=mkdir -p \"$1/etc/apt/preferences.d\" && cp \"$PREFERENCES\" \"$1/etc/apt/preferences.d/creamery\"",
      `--include=${wanted.join(",")}`,
      definition.suites[0]?.name ?? "",
      rootfs,
      join(place, "sources.list"),
    ],
    env: { PREFERENCES: join(place, "preferences"), SOURCE_DATE_EPOCH: String(definition.epoch) },
    what: "mmdebstrap",
    nextStep: "check the mirror in the host's apt sources and the network, then run the same command again",
    signal,
    onLine: (line) => {
      if (/^(?:I|W|E): /u.test(line)) say("packages", line.slice(3));
      else if (/^(?:Get:|Setting up |Unpacking )/u.test(line) && ++fetched % 50 === 0) say("packages", `${fetched} steps of apt and dpkg done`);
    },
  });

  say("tools", "into the root file system");
  await copyTools(place, rootfs, signal);
  const packages = await installedPackages(rootfs, signal);
  await copyFile(join(definitionDir, "customize.sh"), join(place, "customize.sh"));
  await runStep({
    argv: ["unshare", "--net", "chroot", rootfs, "sh", "-s"],
    stdin: await readFile(join(definitionDir, "customize.sh")),
    what: "customize.sh",
    nextStep: "mend images/*/customize.sh",
    signal,
  });

  const interpreters = await proveInterpreters(definition, rootfs, join(definitionDir, "prove.py"), signal, (name) => say("proof", name));
  const kernel = await takeKernel(rootfs, join(place, "boot"));
  say("byte code", "of the standard libraries");
  await normaliseTree(definition, rootfs, signal);

  say("hash", "every file");
  const { treeSha256, files, sizeBytes } = await hashTree(rootfs, join(place, "tree.jsonl"), signal);
  for (const name of ["tools", "preferences", "sources.list", "customize.sh"]) await rm(join(place, name), { recursive: true, force: true });
  const manifest: ImageManifest = {
    schema: 1,
    id: `${definition.version}+${treeSha256.slice(0, 8)}`,
    version: definition.version,
    target: definition.name,
    treeSha256,
    definitionSha256,
    files,
    sizeBytes,
    packages,
    interpreters,
    tools: definition.tools.map(({ name, version, sha256 }) => ({ name, version, sha256: sha256[0] ?? "" })),
    kernel,
    built: { at: new Date().toISOString(), host: hostname(), by: BUILT_BY, seconds: seconds() },
  };
  await writeFile(join(place, "manifest.json"), `${JSON.stringify(manifest, null, 1)}\n`);
  const target = join(imagesDir, manifest.id);
  // Built again with the same contents: the tree that is there may be in use and is as good; only its record is new.
  const there = await open(join(target, "manifest.json")).catch(() => null);
  if (there === null) await rename(place, target);
  else {
    await there.close();
    await rename(join(place, "manifest.json"), join(target, "manifest.json"));
    await rm(place, { recursive: true, force: true });
  }
  say("ready", manifest.id);
  return manifest;
}

async function copyTools(place: string, rootfs: string, signal: AbortSignal): Promise<void> {
  const script = [
    "set -eu",
    'install -m 755 "$1"/unpacked/uv-*.data/scripts/uv "$2/usr/local/bin/uv"',
    'mkdir -p "$2/usr/local/lib/creamery"',
    'for one in "$1"/unpacked/*; do case $one in */uv | */uv-*) ;; *) cp -R "$one" "$2/usr/local/lib/creamery/" ;; esac; done',
    'chmod -R go+rX "$2/usr/local/lib/creamery"',
  ].join("\n");
  await runStep({
    argv: ["sh", "-c", script, "sh", join(place, "tools"), rootfs],
    what: "copying the tools",
    nextStep: "check the free space of the cache directory",
    signal,
  });
}

async function takeKernel(rootfs: string, bootDir: string): Promise<ImageManifest["kernel"]> {
  const boot = join(rootfs, "boot");
  const names = await readdir(boot).catch(() => []);
  const vmlinuz = names.find((name) => name.startsWith("vmlinuz-"));
  const initrd = names.find((name) => name.startsWith("initrd.img-"));
  await mkdir(bootDir);
  let kernel: ImageManifest["kernel"] = null;
  if (vmlinuz !== undefined && initrd !== undefined) {
    await rename(join(boot, vmlinuz), join(bootDir, "vmlinuz"));
    await rename(join(boot, initrd), join(bootDir, "initrd.img"));
    kernel = {
      release: vmlinuz.slice("vmlinuz-".length),
      vmlinuzSha256: await sha256Of(join(bootDir, "vmlinuz")),
      initrdSha256: await sha256Of(join(bootDir, "initrd.img")),
    };
  }
  for (const name of await readdir(boot).catch(() => [])) await rm(join(boot, name), { recursive: true, force: true });
  for (const link of ["vmlinuz", "vmlinuz.old", "initrd.img", "initrd.img.old"]) await rm(join(rootfs, link), { force: true });
  return kernel;
}

async function hashTree(rootfs: string, recordPath: string, signal: AbortSignal): Promise<{ treeSha256: string; files: number; sizeBytes: number }> {
  const record = createWriteStream(recordPath);
  const hash = new TreeHash();
  let files = 0;
  let sizeBytes = 0;
  for await (const entry of walkTree(rootfs, signal)) {
    files++;
    sizeBytes += entry.sizeBytes;
    hash.add(entry);
    if (!record.write(`${entryLine(entry)}\n`)) await new Promise<void>((resolve) => record.once("drain", resolve));
  }
  record.end();
  await finished(record);
  return { treeSha256: hash.digest(), files, sizeBytes };
}

async function needRoom(directory: string, needsBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  const freeBytes = bavail * bsize;
  if (freeBytes >= needsBytes) return;
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1);
  throw new CreameryError("disk-full", `${gigabytes(freeBytes)} GB free, an image build needs ${gigabytes(needsBytes)} GB`, {
    input: directory,
    nextStep: "make room, or name another place with CREAMERY_CACHE_DIR",
  });
}

/** One build at a time in a directory; a lock whose process is gone is nobody's. */
async function lockDirectory(directory: string, signal: AbortSignal, onWait: (pid: string) => void): Promise<AsyncDisposable> {
  const path = join(directory, ".build-lock");
  let told = false;
  for (;;) {
    signal.throwIfAborted();
    try {
      await writeFile(path, String(process.pid), { flag: "wx" });
      return { [Symbol.asyncDispose]: () => unlink(path) };
    } catch (thrown) {
      const pid = await readFile(path, "utf8").catch(() => "");
      if (pid !== "" && !(await runs(pid))) {
        await rm(path, { force: true });
        continue;
      }
      if (!reasonOf(thrown).startsWith("EEXIST")) throw thrown;
      if (!told) onWait(pid);
      told = true;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

async function runs(pid: string): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return command !== "" && pid !== String(process.pid);
}
