import { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import type { InstalledListing, TreeListing } from "../discovery/plan.ts";
import { GUEST } from "./guest-environment.ts";
import type { GuestSession } from "./guest-session.ts";

/** What guest/scan.py and guest/smoke.py wrote, read back bounded and checked: a package may have had a hand in it. */
const MAX_LISTING_BYTES = 64 * 1024 * 1024;
const SCAN_MS = 120_000;
const SMOKE_MS = 180_000;

const TreeFileSchema = z.object({
  path: z.string().max(4096),
  sizeBytes: z.number(),
  testFunctions: z.number(),
  imports: z.array(z.string()).optional(),
  usesUnittest: z.boolean().optional(),
  usesPytest: z.boolean().optional(),
});
const TreeListingSchema = z.object({
  files: z.array(TreeFileSchema),
  texts: z.record(z.string(), z.string()),
  truncated: z.boolean(),
});
const UnpackedSchema = z.object({
  root: z.string(),
  listing: TreeListingSchema,
  refused: z.array(z.string()),
});
const InstalledListingSchema = z.object({
  sitePackages: z.string(),
  files: z.array(TreeFileSchema),
  topLevel: z.array(z.string()),
  metadata: z.string(),
  entryPoints: z.string(),
});
const SmokeSchema = z.object({
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

export type SmokeResult = z.infer<typeof SmokeSchema> & {
  /** What the installer's check of the installed distributions said; empty when they agree. */
  readonly check: string;
};

export interface UnpackedTree {
  /** Absolute, in the guest. */
  readonly root: string;
  readonly listing: TreeListing;
}

/**
 * Unpacks an archive that lies in the guest, as the job's user.
 * @returns null when it is no archive that can be unpacked; the log says why.
 */
export async function unpackTree(
  session: GuestSession,
  archive: string,
): Promise<UnpackedTree | null> {
  const out = "/job/tree.json";
  const step = await session.run({
    step: "unpack",
    phase: "fetch",
    argv: [
      GUEST.systemPython,
      "-I",
      "-B",
      `${GUEST.tools}/scan.py`,
      "unpack",
      "--out",
      out,
      archive,
      GUEST.tree,
    ],
    wallMs: SCAN_MS,
    quiet: true,
  });
  if (!step.ok) return null;
  const { root, listing, refused } = await readJson(session, out, UnpackedSchema);
  for (const line of refused) session.log.note(`-- not unpacked: ${line}`);
  return {
    root: root.startsWith("/") ? root : `${GUEST.tree}/${root}`.replace(/\/$/u, ""),
    listing,
  };
}

/** @returns null when no such distribution is installed. */
export async function readInstalled(
  session: GuestSession,
  project: string,
): Promise<InstalledListing | null> {
  const out = "/job/installed.json";
  const step = await session.run({
    step: "scan",
    phase: "discover",
    argv: [
      GUEST.systemPython,
      "-I",
      "-B",
      `${GUEST.tools}/scan.py`,
      "installed",
      "--out",
      out,
      GUEST.venv,
      project,
    ],
    wallMs: SCAN_MS,
    quiet: true,
  });
  return step.ok ? readJson(session, out, InstalledListingSchema.nullable()) : null;
}

/** Imports, console scripts, and the installer's own check; null when the smoke run itself could not end. */
export async function readSmoke(
  session: GuestSession,
  project: string,
  check: readonly string[],
): Promise<SmokeResult | null> {
  const checked = await session.run({
    step: "check",
    phase: "import",
    argv: check,
    wallMs: SCAN_MS,
    quiet: true,
  });
  const out = "/job/smoke.json";
  const step = await session.run({
    step: "smoke",
    phase: "import",
    argv: [GUEST.venvPython, "-B", `${GUEST.tools}/smoke.py`, "--out", out, project],
    cwd: GUEST.home,
    wallMs: SMOKE_MS,
    quiet: true,
  });
  if (!step.ok) return null;
  const smoke = await readJson(session, out, SmokeSchema);
  return { ...smoke, check: checked.ok ? "" : checked.text };
}

async function readJson<Schema extends z.ZodType>(
  session: GuestSession,
  path: string,
  schema: Schema,
): Promise<z.infer<Schema>> {
  const bytes = await session.guest.get(path, MAX_LISTING_BYTES);
  if (bytes === null) throw new CreameryError("channel", `the guest gave no ${path}`);
  let raw: unknown;
  try {
    raw = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new CreameryError("channel", `the guest gave a ${path} that is not JSON`, { cause });
  }
  const parsed = schema.safeParse(raw);
  if (!parsed.success)
    throw new CreameryError("channel", `the guest gave a ${path} of another form`, {
      cause: parsed.error,
    });
  return parsed.data;
}
