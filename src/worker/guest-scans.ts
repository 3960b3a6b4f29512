import { z } from "zod";

import { printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import type { InstalledListing, TreeListing } from "../discovery/plan.ts";
import type { MarkerEnvironment } from "../python/markers.ts";
import { checkInstalled } from "./check-installed.ts";
import { GUEST } from "./guest-environment.ts";
import type { GuestSession, StepResult } from "./guest-session.ts";

/** What guest/scan.py and guest/smoke.py wrote, read back bounded and checked: a package may have had a hand in it. */
const MAX_LISTING_BYTES = 64 * 1024 * 1024;
const PREPARE_MS = 180_000;
const EXAMINE_MS = 240_000;

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
  distributions: z
    .array(z.object({ name: z.string(), version: z.string(), requires: z.array(z.string()) }))
    .max(1000),
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
  /** Where the installed distributions disagree, a line each; empty when they agree. */
  readonly check: string;
};

/** Top-level names of the modules that a top-level module of the release could not import. */
export function lackingModules(smoke: Pick<SmokeResult, "modules">): string[] {
  return smoke.modules.failed
    .filter(({ top }) => top)
    .flatMap(({ error }) => {
      const found = /No module named '?([A-Za-z0-9_]+)/.exec(error);
      return found?.[1] === undefined ? [] : [found[1]];
    });
}

export interface UnpackedTree {
  /** Absolute, in the guest. */
  readonly root: string;
  readonly listing: TreeListing;
}

export interface Preparation {
  /** Null where there was no archive, or `failed` says why it could not be unpacked. */
  readonly tree: UnpackedTree | null;
  /** Unpacking the source failed. */
  readonly failed: StepResult | null;
  readonly environment: { readonly ok: boolean; readonly text: string };
}

const scan = (...words: readonly string[]): readonly string[] => [
  GUEST.systemPython,
  "-I",
  "-B",
  `${GUEST.tools}/scan.py`,
  ...words,
];

/** Makes the environment and, beside it, unpacks the source and lists what is in it; as the job's user. */
export async function prepareJob(
  session: GuestSession,
  archive: string | null,
  createEnvironment: readonly string[],
): Promise<Preparation> {
  const request = { step: "prepare", phase: "fetch", wallMs: PREPARE_MS } as const;
  if (archive === null) {
    const made = await session.together(request, {
      venv: createEnvironment,
      tree: ["mkdir", "-p", GUEST.tree],
    });
    return { tree: null, failed: null, environment: made.endOf("venv") };
  }
  const out = "/job/tree.json";
  const made = await session.together(request, {
    venv: createEnvironment,
    unpack: scan("unpack", "--out", out, archive, GUEST.tree),
  });
  const environment = made.endOf("venv");
  const unpacked = made.endOf("unpack");
  if (!unpacked.ok) {
    const { code, text } = unpacked;
    return { tree: null, failed: { ...made.step, ok: false, code, text }, environment };
  }
  const { root, listing, refused } = await readJson(session, out, UnpackedSchema);
  for (const line of refused) session.log.note(`-- not unpacked: ${printableLine(line)}`);
  return {
    tree: {
      root: root.startsWith("/") ? root : `${GUEST.tree}/${root}`.replace(/\/$/u, ""),
      listing,
    },
    failed: null,
    environment,
  };
}

export interface Examination {
  /** Null when no such distribution is installed. */
  readonly installed: InstalledListing | null;
  /** Null when it was not asked for, or could not end. */
  readonly smoke: SmokeResult | null;
}

/**
 * Lists what was installed; with `smoke` also imports it, asks its console scripts for --help, and looks whether the
 * installed distributions agree with each other.
 */
export async function examineInstalled(
  session: GuestSession,
  project: string,
  markers: MarkerEnvironment,
  smoke: boolean,
): Promise<Examination> {
  const out = "/job/installed.json";
  const smokeOut = "/job/smoke.json";
  // Away from the tree: what is imported is what was installed.
  const request = {
    step: "examine",
    phase: "import",
    cwd: GUEST.home,
    wallMs: EXAMINE_MS,
  } as const;
  const list = scan("installed", "--out", out, GUEST.venv, project);
  const tryOut = [GUEST.venvPython, "-B", `${GUEST.tools}/smoke.py`, "--out", smokeOut, project];
  const done = await session.together(request, {
    scan: list,
    smoke: smoke ? tryOut : ["true"],
  });
  const installed = done.endOf("scan").ok
    ? await readJson(session, out, InstalledListingSchema.nullable())
    : null;
  if (!smoke || !done.endOf("smoke").ok) return { installed, smoke: null };
  const tried = await readJson(session, smokeOut, SmokeSchema);
  const disagreements = checkInstalled(installed?.distributions ?? [], markers);
  return { installed, smoke: { ...tried, check: disagreements.join("\n") } };
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
