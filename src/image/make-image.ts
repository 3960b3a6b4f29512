import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

import { clip, printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import { moveKernelOut } from "./boot-files.ts";
import type { BuildProgress } from "./build-event.ts";
import { installDebianRoot } from "./debian-root.ts";
import type { ImageDefinition } from "./definition.ts";
import { bringTools } from "./fetch-tools.ts";
import { installedPackages, unpackPackages } from "./installed-packages.ts";
import { bringInterpreters } from "./interpreters/bring-interpreters.ts";
import type { LockedPackage, LockedTool } from "./lock/image-lock.ts";
import type { SourceFiles } from "./lock/source-files.ts";
import type { ImageManifest } from "./manifest.ts";
import { compileByteCode, normaliseTimes, normaliseTree } from "./normalise-tree.ts";
import { proveInterpreters } from "./prove-interpreters.ts";
import { SCRATCH } from "./put-image.ts";
import { runInRoot } from "./run-contained.ts";
import { entryLine, TreeHash, walkTree } from "./tree-hash.ts";

/** Whose code makes images. */
export const BUILDER = "creamery 0.1.0";
const SET_UP_MS = 5 * 60_000;
const INSIDE = "/opt/creamery/customize.sh";
const JOB_USER = "1000:1000";

export interface MakeRequest {
  /** Of this build alone. Gets `rootfs`, `boot` and `tree.jsonl`; has `scratch`. */
  readonly building: string;
  /** Holds image.toml, customize.sh and prove.py. */
  readonly definitionDir: string;
  readonly definition: ImageDefinition;
  readonly definitionSha256: string;
  readonly files: SourceFiles;
  readonly aptMirror: string | undefined;
  /** The host's environment, for the configurations of its clients. */
  readonly env: NodeJS.ProcessEnv;
  readonly progress: BuildProgress;
  readonly signal: AbortSignal;
}

/** What an image is, and what it was made of. */
export interface MadeImage {
  readonly manifest: ImageManifest;
  readonly packages: readonly LockedPackage[];
  readonly tools: readonly LockedTool[];
}

/**
 * Makes the root file system of a definition out of files: those of a lock, or those that the host's mirror and clients have now.
 * @throws CreameryError `host-lacks`, `no-network`, `upstream-hash`, `disk-full`, `image-build`.
 */
export async function makeImage(request: MakeRequest): Promise<MadeImage> {
  const { building, definition, definitionDir, files, env, progress, signal } = request;
  const rootfs = join(building, "rootfs");
  const scratch = join(building, SCRATCH);
  progress.say(
    "packages",
    files.locked === null ? "reading the mirror's lists" : "those of the lock",
  );
  const archives = await installDebianRoot({ ...request, rootfs, scratch });
  const unpacked = archives.filter(({ use }) => use === "unpack");
  await unpackPackages(rootfs, unpacked, files, signal);
  progress.say("set-up", "user, locales, directories");
  await setUp(rootfs, definitionDir, signal);
  progress.say("tools", definition.tools.map((tool) => tool.name).join(", "));
  const tools = await bringTools({ definition, rootfs, scratch, env, files, signal });
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
    files,
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
  const packages = [
    ...(await installedPackages(rootfs, archives, signal)),
    ...unpacked.map(({ name, version, architecture, sha256 }) => ({
      name,
      version,
      architecture,
      sha256,
    })),
  ];

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
  const manifest = {
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
    tools: tools.map(({ name, version, sha256 }) => ({ name, version, sha256 })),
    kernel,
    built: {
      at: new Date().toISOString(),
      host: hostname(),
      by: BUILDER,
      seconds: progress.seconds,
    },
  } as const;
  return { manifest, packages: archives, tools };
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
