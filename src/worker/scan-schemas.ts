import { z } from "zod";

/** What guest/scan.py and guest/smoke.py write: hostile, as a package may have had a hand in it. */

/** As guest/scan.py has them. */
const MAX_DEPTH = 64;
const MAX_FILES = 20_000;

const TreeFileSchema = z.object({
  // Directories are made of each, all the way up.
  path: z
    .string()
    .max(4096)
    .refine((path) => path.split("/").length <= MAX_DEPTH, "is too deep"),
  sizeBytes: z.number(),
  testFunctions: z.number(),
  imports: z.array(z.string()).optional(),
  usesUnittest: z.boolean().optional(),
  usesPytest: z.boolean().optional(),
});
export const TreeListingSchema = z.object({
  files: z.array(TreeFileSchema).max(MAX_FILES),
  texts: z.record(z.string(), z.string()),
  truncated: z.boolean(),
});
export const HashesSchema = z.record(z.string().max(4096), z.string().regex(/^[0-9a-f]{40}$/u));
export const UnpackedSchema = z.object({
  root: z.string(),
  listing: TreeListingSchema,
  refused: z.array(z.string()),
});
export const InstalledListingSchema = z.object({
  sitePackages: z.string(),
  files: z.array(TreeFileSchema).max(MAX_FILES),
  topLevel: z.array(z.string()),
  metadata: z.string(),
  entryPoints: z.string(),
  distributions: z
    .array(z.object({ name: z.string(), version: z.string(), requires: z.array(z.string()) }))
    .max(1000),
});
export const SmokeSchema = z.object({
  pass: z.boolean(),
  topLevel: z.array(z.string()),
  modules: z.object({
    tried: z.number(),
    imported: z.number(),
    failed: z.array(z.object({ name: z.string(), top: z.boolean(), error: z.string() })),
  }),
  scripts: z.array(
    z.object({ name: z.string(), ok: z.boolean(), exit: z.number().nullable(), error: z.string() }),
  ),
  truncated: z.boolean(),
});
