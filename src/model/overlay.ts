import { z } from "zod";

import { canonicalHash } from "./axes.ts";

/**
 * What one attempt is given otherwise than every other: the one thing that an experiment changes. It is the attempt's own
 * index that holds to it, so that whatever asks for a distribution (the environment's installer, an isolated build, a
 * build of a dependency, a `pip install` of a test) meets it.
 */

const name = z.string().min(1).max(200);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

export const Overlay = z.object({
  releases: z
    .array(
      z.object({
        project: name,
        version: name,
        file: z
          .object({ filename: z.string().max(256), sha256 })
          .nullable()
          .describe("A wheel of a person's own; null for the release as the index has it"),
      }),
    )
    .describe("The index has these releases of their projects, and no others"),
  before: z
    .string()
    .max(40)
    .nullable()
    .describe("The index has what was uploaded before this instant (RFC 3339)"),
  env: z.record(z.string(), z.string()).describe("Variables that every process of the job sees"),
});
export type Overlay = z.infer<typeof Overlay>;

/** sha256 of an overlay, hexadecimal: two attempts with the same one were given the same. */
export function overlayHash({ releases, before, env }: Overlay): string {
  return canonicalHash({ releases, before, env });
}

/** What became of a project that an experiment watches. */
export const OverlayUse = z.object({
  project: name,
  installed: z
    .string()
    .nullable()
    .describe("Its version in the environment at the end; null where it was not there"),
  served: z
    .array(z.string())
    .describe("Versions that the index gave, whoever asked: the environment, or a build"),
});
export type OverlayUse = z.infer<typeof OverlayUse>;

export const OverlayEvidence = Overlay.extend({
  used: z.array(OverlayUse).describe("Of each project that the experiment is about"),
  unsatisfied: z
    .string()
    .nullable()
    .describe("Who asked for another version than the overlay has, where that ended the attempt"),
});
export type OverlayEvidence = z.infer<typeof OverlayEvidence>;
