import { z } from "zod";

import { BUILDERS } from "../model/source.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/u);

export const ManifestInterpreter = z.strictObject({
  name: z.string(),
  implementation: z.enum(["cpython", "pypy"]),
  version: z.string(),
  executable: z.string(),
  fullVersion: z.string(),
  uv: z.boolean(),
  // Images of before 2026.11.2 say none of these: all that they have is Debian's.
  builder: z.enum(BUILDERS).default("debian"),
  /** Where it came from, for a person: `maven org.example:cpython:3.12.1:linux-x86_64`. */
  origin: z.string().default("debian"),
  /** Modules of its version's standard library that this build of it does not have; null where it is not known. */
  lacks: z.array(z.string()).nullable().default(null),
});

/** `manifest.json` beside an image's root file system. */
export const ImageManifest = z.strictObject({
  schema: z.literal(1),
  /** `2026.11.1+1a2b3c4d` */
  id: z.string(),
  version: z.string(),
  /** `linux-x86_64` */
  target: z.string(),
  /** Of the canonical tree. */
  treeSha256: sha256,
  /** Of the definition's files: another definition makes another image. */
  definitionSha256: sha256,
  files: z.int(),
  sizeBytes: z.int(),
  packages: z.array(
    z.strictObject({
      name: z.string(),
      version: z.string(),
      architecture: z.string(),
      sha256: sha256.nullable(),
    }),
  ),
  interpreters: z.array(ManifestInterpreter),
  /** Optional interpreters of the definition that could not be had when it was built. */
  missing: z
    .array(z.strictObject({ name: z.string(), reason: z.string(), nextStep: z.string() }))
    .default([]),
  tools: z.array(z.strictObject({ name: z.string(), version: z.string(), sha256 })),
  /** Beside the root file system, in `boot/`; null where the definition has none. */
  kernel: z
    .strictObject({ release: z.string(), vmlinuzSha256: sha256, initrdSha256: sha256 })
    .nullable(),
  /** Who built it; no part of the hash. */
  built: z.strictObject({ at: z.string(), host: z.string(), by: z.string(), seconds: z.number() }),
});
export type ImageManifest = z.infer<typeof ImageManifest>;
