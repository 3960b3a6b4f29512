import { z } from "zod";

import { BUILDERS } from "../../model/source.ts";
import type { BuildProgress } from "../build-event.ts";
import type { SourceFiles } from "../lock/source-files.ts";

const word = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9.+_-]*$/u, "must be one word of letters, digits and . + _ -");

/** Names of Debian packages, and other words of that form. */
export const Words = z.array(word);

export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/u, "must be a sha256 in hexadecimal");

/** A directory in an archive; `.` for all of it. */
export const DirectoryInArchive = z
  .string()
  .regex(/^(?:\.|[\w.+-]+(?:\/[\w.+-]+)*)$/u, "must be a relative path of plain names, or .")
  .refine((path) => !path.split("/").includes(".."), "must not lead out of the archive");

/** What every `[[interpreters]]` of image.toml has, whatever its source. */
export const CommonEntry = z.strictObject({
  name: z.string().regex(/^(?:cpython|pypy)-\d+\.\d+$/u, "must be like cpython-3.13"),
  /** uv can make environments for it; else virtualenv does. */
  uv: z.boolean(),
  /** Modules of its version's standard library that this build of it does not have; the proof holds it to that. */
  lacks: z
    .array(z.string().regex(/^[A-Za-z_][\w.]*$/u, "must be the name of a module"))
    .default([]),
});

/** Of what can be missing: what comes from elsewhere than the packages that the whole image is made of. */
export const OptionalEntry = CommonEntry.extend({
  builder: z.enum(BUILDERS).exclude(["debian"]),
  /** Where it can't be had, the image is made without it, and says so. */
  optional: z.boolean().default(false),
});

/** What a source needs to bring an interpreter into a root file system. */
export interface BringContext {
  readonly rootfs: string;
  /** Of this build alone; removed at its end. */
  readonly scratch: string;
  /** All that is brought comes from among them, so that it can be kept. */
  readonly files: SourceFiles;
  /** The host's environment: where its own clients find their configuration. */
  readonly env: NodeJS.ProcessEnv;
  readonly progress: BuildProgress;
  readonly signal: AbortSignal;
}

/** One interpreter of a definition, bound to where it comes from: what a plugin of this directory makes of its entry. */
export interface SourcedInterpreter {
  /** In the image. */
  readonly executable: string;
  /** Its standard library in the image, whose byte code is compiled when the image is built. */
  readonly library: string;
  /** Where it comes from, for a person: `maven org.example:cpython:3.12.1:linux-x86_64`. */
  readonly origin: string;
  /** Debian packages to install with all others. */
  readonly packages: readonly string[];
  /** Debian packages (`name/suite`) that are unpacked beside newer ones. */
  readonly unpacked: readonly string[];
  /**
   * Brings it into the root file system; whatever can't be had is thrown before anything of it is there.
   * @throws CreameryError `host-lacks`, `no-network`, `upstream` or `deadline` where it can't be had; `upstream-hash` for another file
   * than the pinned one, and what else ends a build.
   */
  bring(context: BringContext): Promise<void>;
}
