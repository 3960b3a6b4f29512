import { copyFile, mkdir, open, readdir, rename, rm, statfs, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

import { clip, printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import { moveKernelOut } from "./boot-files.ts";
import { BuildProgress, type OnBuildEvent } from "./build-event.ts";
import { lockBuilds } from "./build-lock.ts";
import { installDebianRoot } from "./debian-root.ts";
import { definitionHash } from "./definition-hash.ts";
import { readDefinition, type ImageDefinition } from "./definition.ts";
import { fetchTools } from "./fetch-tools.ts";
import { hostMirror } from "./host-mirror.ts";
import { currentImage, loadImage } from "./image-store.ts";
import { bringInterpreters } from "./interpreters/bring-interpreters.ts";
import { installedPackages, unpackPackages } from "./installed-packages.ts";
import type { ImageManifest } from "./manifest.ts";
import { compileByteCode, normaliseTimes, normaliseTree } from "./normalise-tree.ts";
import { proveInterpreters } from "./prove-interpreters.ts";
import { removeTree } from "./remove-tree.ts";
import { runInRoot } from "./run-contained.ts";
import { entryLine, TreeHash, walkTree } from "./tree-hash.ts";

const BUILDER = "creamery 0.1.0";
const SET_UP_MS = 5 * 60_000;
const INSIDE = "/opt/creamery/customize.sh";
const JOB_USER = "1000:1000";
/** Beside the images, and none of them: its name begins with a dot. */
const DOWNLOADS = ".downloads";

export interface BuildRequest {
  /** Holds image.toml, customize.sh and prove.py. */
  readonly definitionDir: string;
  readonly imagesDir: string;
  /** Build even when an image of this definition is there. */
  readonly force?: boolean;
  /** Instead of the one in the host's apt sources. */
  readonly aptMirror?: string;
  readonly onProgress?: OnBuildEvent;
  readonly signal: AbortSignal;
  /** The host's environment, for pip's configuration. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Builds the image of a definition, as root; or answers with the one that is there. It is made under another
 * name and renamed when whole: what an abort, a fault or a power cut leaves is never taken for an image, and
 * the next build removes it.
 * @throws CreameryError `needs-root`, `host-lacks`, `no-network`, `disk-full`, `image-build`, `configuration-file`;
 * the signal's reason when aborted.
 */
export async function buildImage(request: BuildRequest): Promise<ImageManifest> {
  const { definitionDir, imagesDir, force = false, signal } = request;
  const progress = new BuildProgress(request.onProgress ?? (() => {}));
  const definition = await readDefinition(definitionDir);
  const definitionSha256 = await definitionHash(definitionDir);
  const present = await currentImage(imagesDir, definitionSha256);
  if (present !== null && !force) return present;
  if (process.getuid?.() !== 0)
    throw new CreameryError("needs-root", "an image can only be built as root", {
      nextStep: "run ./creamery as root or with sudo",
    });

  await mkdir(imagesDir, { recursive: true, mode: 0o755 });
  await using lock = await lockBuilds(imagesDir, signal, () =>
    progress.say("wait", "another build is running here"),
  );
  if (lock.waited) {
    const made = await currentImage(imagesDir, definitionSha256);
    if (made !== null) return made;
  }
  await removeLeftovers(imagesDir);
  await checkRoom(imagesDir, definition);

  const building = join(imagesDir, `.building-${process.pid}`);
  try {
    await mkdir(join(building, "scratch"), { recursive: true, mode: 0o755 });
    const manifest = await buildIn(building, {
      ...request,
      definition,
      definitionSha256,
      progress,
    });
    await rm(join(building, "scratch"), { recursive: true });
    const described = await put(building, manifest, imagesDir);
    progress.say("done", described.id);
    return described;
  } catch (thrown) {
    if (hasCode(thrown, "ENOSPC"))
      throw new CreameryError("disk-full", "the disk filled up while the image was built", {
        input: imagesDir,
        nextStep: "free some space, then run the same command again",
        cause: thrown,
      });
    throw thrown;
  } finally {
    await removeTree(building);
  }
}

interface Building extends BuildRequest {
  readonly definition: ImageDefinition;
  readonly definitionSha256: string;
  readonly progress: BuildProgress;
}

async function buildIn(building: string, request: Building): Promise<ImageManifest> {
  const { definition, definitionDir, progress, signal } = request;
  const rootfs = join(building, "rootfs");
  const scratch = join(building, "scratch");
  const mirror = request.aptMirror ?? (await hostMirror(signal));
  progress.say("packages", "reading the mirror's lists");
  await installDebianRoot({ definition, rootfs, scratch, mirror, progress, signal });
  const unpacked = await unpackPackages(rootfs, signal);
  progress.say("set-up", "user, locales, directories");
  await setUp(rootfs, definitionDir, signal);
  progress.say("tools", definition.tools.map((tool) => tool.name).join(", "));
  const env = request.env ?? process.env;
  await fetchTools({ definition, rootfs, scratch, env, signal });
  progress.say("kernel", "kernel and initrd, beside the root file system");
  const kernel = await moveKernelOut({
    definition,
    rootfs,
    bootDir: join(building, "boot"),
    signal,
  });
  const brought = await bringInterpreters(definition.interpreters, {
    rootfs,
    scratch,
    downloads: join(request.imagesDir, DOWNLOADS),
    env,
    progress,
    signal,
  });
  const interpreters = await proveInterpreters({
    interpreters: brought.interpreters,
    definitionDir,
    rootfs,
    jobUser: JOB_USER,
    progress,
    signal,
  });
  const packages = [...(await installedPackages(rootfs, signal)), ...unpacked];

  progress.say("normalise", "times, caches, identities");
  await normaliseTree(rootfs, definition, signal);
  await normaliseTimes(rootfs, definition.epoch, signal);
  let compiled = 0;
  const libraries = brought.interpreters.map(({ entry: { name, builder }, from }) => ({
    ...from,
    name,
    builder,
  }));
  await compileByteCode({
    rootfs,
    interpreters: libraries,
    epoch: definition.epoch,
    jobUser: JOB_USER,
    signal,
    onInterpreter: (name) =>
      progress.say("byte-code", name, { done: compiled++, total: libraries.length }),
  });
  await normaliseTimes(rootfs, definition.epoch, signal);

  progress.say("hash", "every file");
  const tree = await recordTree(rootfs, join(building, "tree.jsonl"), signal);
  return {
    schema: 1,
    id: `${definition.version}+${tree.sha256.slice(0, 8)}`,
    version: definition.version,
    target: definition.name,
    treeSha256: tree.sha256,
    definitionSha256: request.definitionSha256,
    files: tree.files,
    sizeBytes: tree.sizeBytes,
    packages,
    interpreters,
    missing: brought.missing,
    tools: definition.tools.map(({ name, version, sha256 }) => ({
      name,
      version,
      sha256: sha256[0] ?? "",
    })),
    kernel,
    built: {
      at: new Date().toISOString(),
      host: hostname(),
      by: BUILDER,
      seconds: progress.seconds,
    },
  };
}

async function setUp(rootfs: string, definitionDir: string, signal: AbortSignal): Promise<void> {
  await mkdir(join(rootfs, "opt/creamery"), { recursive: true, mode: 0o755 });
  await copyFile(join(definitionDir, "customize.sh"), join(rootfs, INSIDE));
  const { code, tail } = await runInRoot({
    rootfs,
    argv: ["sh", INSIDE],
    owner: "0:0",
    deadlineMs: SET_UP_MS,
    signal,
  });
  if (code !== 0) {
    throw new CreameryError(
      "image-build",
      `customize.sh failed: ${clip(printableLine(tail.at(-1) ?? "it said nothing"), 300)}`,
      { input: definitionDir },
    );
  }
  await rm(join(rootfs, INSIDE));
}

/** Writes `tree.jsonl`, one line for each path in the walk's order. */
async function recordTree(
  rootfs: string,
  path: string,
  signal: AbortSignal,
): Promise<{ sha256: string; files: number; sizeBytes: number }> {
  const hash = new TreeHash();
  const lines: string[] = [];
  let sizeBytes = 0;
  for await (const entry of walkTree(rootfs, signal)) {
    hash.add(entry);
    lines.push(`${entryLine(entry)}\n`);
    sizeBytes += entry.sizeBytes;
  }
  await writeFile(path, lines.join(""));
  return { sha256: hash.digest(), files: lines.length, sizeBytes };
}

/** Makes a whole image visible by one rename, after its manifest is on the disk. */
async function put(
  building: string,
  manifest: ImageManifest,
  imagesDir: string,
): Promise<ImageManifest> {
  const target = join(imagesDir, manifest.id);
  const existing = await loadImage(imagesDir, manifest.id).catch(() => null);
  // The same tree is there, and guests may be running on it: only what is said of it and of its making is newer.
  const described = existing === null ? manifest : { ...manifest, ...keptOf(existing) };
  const path = join(building, "manifest.json");
  await using file = await open(path, "wx", 0o644);
  await file.writeFile(`${JSON.stringify(described, null, 2)}\n`);
  await file.sync();
  if (existing === null) {
    // What has this name and no manifest is no image.
    await removeTree(target);
    await rename(building, target);
  } else await rename(path, join(target, "manifest.json"));
  return described;
}

/** What is said of files that stay: byte code and the initrd, which differ from build to build, are counted or hashed in these. */
function keptOf({ files, sizeBytes, kernel }: ImageManifest) {
  return { files, sizeBytes, kernel };
}

/** Under the lock, whatever is half made is nobody's. */
async function removeLeftovers(imagesDir: string): Promise<void> {
  for (const name of await readdir(imagesDir)) {
    if (/^\.(?:building|removing)-/u.test(name)) await removeTree(join(imagesDir, name));
  }
}

async function checkRoom(imagesDir: string, definition: ImageDefinition): Promise<void> {
  const { bavail, bsize } = await statfs(imagesDir);
  const freeBytes = bavail * bsize;
  if (freeBytes >= definition.needs_bytes) return;
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1);
  throw new CreameryError(
    "disk-full",
    `an image needs ${gigabytes(definition.needs_bytes)} GB, and ${gigabytes(freeBytes)} GB are free`,
    {
      input: imagesDir,
      nextStep: "free some space, or set [directories] cache in creamery.toml",
    },
  );
}

function hasCode(thrown: unknown, code: string): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === code;
}
