import { constants, copyFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { clip, printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import type { BuildProgress } from "./build-event.ts";
import { directoryInRoot } from "./directory-in-root.ts";
import type { BroughtInterpreter } from "./interpreters/bring-interpreters.ts";
import type { ImageManifest } from "./manifest.ts";
import { runInRoot } from "./run-contained.ts";

const PROOF_MS = 180_000;
const INSIDE = "/opt/creamery/prove.py";

export interface ProofRequest {
  readonly interpreters: readonly BroughtInterpreter[];
  readonly definitionDir: string;
  readonly rootfs: string;
  readonly jobUser: string;
  readonly progress: BuildProgress;
  readonly signal: AbortSignal;
}

/**
 * Each interpreter, as the job's user and with no network, imports what it must and fails to import what
 * its entry says it lacks, makes a virtual environment, and compiles and loads a C extension. Nothing of it is left: all is written to memory.
 * @returns what the manifest says of each.
 * @throws CreameryError `image-build` naming the one that does not.
 */
export async function proveInterpreters({
  interpreters,
  definitionDir,
  rootfs,
  jobUser,
  progress,
  signal,
}: ProofRequest): Promise<ImageManifest["interpreters"]> {
  const proof = join(await directoryInRoot(rootfs, dirname(INSIDE)), basename(INSIDE));
  await copyFile(join(definitionDir, "prove.py"), proof, constants.COPYFILE_EXCL);
  const proven: ImageManifest["interpreters"] = [];
  for (const { entry, from } of interpreters) {
    const { name, uv, lacks, builder } = entry;
    const { executable, origin } = from;
    progress.say("proof", name, { done: proven.length, total: interpreters.length });
    const { code, tail } = await runInRoot({
      rootfs,
      argv: [executable, "-B", INSIDE, uv ? "uv" : "virtualenv", ...lacks],
      owner: jobUser,
      deadlineMs: PROOF_MS,
      signal,
    });
    const last = printableLine(tail.at(-1) ?? "it said nothing");
    if (code !== 0) {
      throw new CreameryError("image-build", `${name} fails its proof: ${clip(last, 300)}`, {
        input: executable,
        nextStep: "mend its entry in image.toml",
      });
    }
    const [implementation = "", version = ""] = name.split("-");
    // The name's promise is checked too: an executable of another version is another interpreter.
    if (last !== version && !last.startsWith(`${version}.`)) {
      throw new CreameryError("image-build", `${name} says that it is ${clip(last, 60)}`, {
        input: executable,
        nextStep: "mend its entry in image.toml",
      });
    }
    proven.push({
      name,
      implementation: implementation === "pypy" ? "pypy" : "cpython",
      version,
      executable,
      fullVersion: last,
      uv,
      builder,
      origin,
      lacks,
    });
  }
  await rm(proof);
  return proven;
}
