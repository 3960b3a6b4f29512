import { z } from "zod";

import { printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import type { InstalledListing, TreeListing } from "../discovery/plan.ts";
import type { MarkerEnvironment } from "../python/markers.ts";
import { checkInstalled } from "./check-installed.ts";
import { GUEST } from "./guest-environment.ts";
import type { GuestSession, StepResult, TogetherResult } from "./guest-session.ts";
import {
  HashesSchema,
  InstalledListingSchema,
  SmokeSchema,
  TreeListingSchema,
  UnpackedSchema,
} from "./scan-schemas.ts";
import { codeFile, type LaneCommand } from "./together.ts";

/** Read back bounded and checked: a package may have had a hand in it. */
const MAX_LISTING_BYTES = 64 * 1024 * 1024;

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

const TREE_JSON = "/job/tree.json";
const INSTALLED_JSON = "/job/installed.json";
const SMOKE_JSON = "/job/smoke.json";

const scan = (...words: readonly string[]): readonly string[] => [
  GUEST.systemPython,
  "-I",
  "-B",
  `${GUEST.tools}/scan.py`,
  ...words,
];

/** Unpacks the source and lists what is in it; without one there is an empty tree. */
export function unpackCommand(archive: string | null): LaneCommand {
  return {
    name: "unpack",
    argv:
      archive === null
        ? ["mkdir", "-p", GUEST.tree]
        : scan("unpack", "--out", TREE_JSON, archive, GUEST.tree),
  };
}

/** The same, and then, when the command `installer` beside it has ended, what was installed. */
export function unpackAndScanCommand(
  archive: string,
  installer: string,
  project: string,
): LaneCommand {
  const then = ["--then", codeFile(installer), INSTALLED_JSON, GUEST.venv, project];
  return {
    name: "unpack",
    argv: scan("unpack", "--out", TREE_JSON, archive, GUEST.tree, ...then),
  };
}

/** Lists what was installed, when the command `installer` beside it has ended. */
export function scanCommand(installer: string, project: string): LaneCommand {
  const then = ["--then", codeFile(installer)];
  return {
    name: "scan",
    argv: scan("installed", "--out", INSTALLED_JSON, GUEST.venv, project, ...then),
  };
}

/** Imports what the command `installer` beside it has installed, and asks its console scripts for --help. */
export function smokeCommand(installer: string, project: string): LaneCommand {
  const script = [`${GUEST.tools}/smoke.py`, "--out", SMOKE_JSON, project];
  return {
    name: "smoke",
    argv: [GUEST.venvPython, "-B", ...script, "--then", codeFile(installer)],
  };
}

export interface Unpacking {
  /** Null where there was no archive, or `failed` says why it could not be unpacked. */
  readonly tree: UnpackedTree | null;
  readonly failed: StepResult | null;
}

/** What `unpackCommand` left. */
export async function readUnpacked(
  session: GuestSession,
  archive: string | null,
  { step, endOf }: TogetherResult,
): Promise<Unpacking> {
  const { ok, code, text } = endOf("unpack");
  const failed = { ...step, phase: "fetch", ok: false } as const;
  if (!ok) return { tree: null, failed: { ...failed, code, text } };
  if (archive === null) return { tree: null, failed: null };
  const unpacked = await readJson(session, TREE_JSON, UnpackedSchema).catch((thrown: unknown) => {
    // Code of a dependency's build may run beside it: a listing that was changed is no fault of the channel.
    if (thrown instanceof CreameryError && thrown.code === "channel") return null;
    throw thrown;
  });
  if (unpacked === null) {
    const why = "what was listed of the source was removed or changed";
    return { tree: null, failed: { ...failed, code: 1, text: why } };
  }
  const { root, listing, refused } = unpacked;
  for (const line of refused) session.log.note(`-- not unpacked: ${printableLine(line)}`);
  const absolute = root.startsWith("/") ? root : `${GUEST.tree}/${root}`.replace(/\/$/u, "");
  return { tree: { root: absolute, listing }, failed: null };
}

const HASHES_JSON = "/job/hashes.json";
const REPOSITORY_JSON = "/job/repository.json";
const SCAN_MS = 120_000;

/** Hashes of a tree's Python files, as git takes them, by path; null where they could not be taken. */
export async function hashSources(
  session: GuestSession,
  root: string,
): Promise<Readonly<Record<string, string>> | null> {
  const argv = scan("hashes", "--out", HASHES_JSON, root);
  const step = { step: "hash-sources", phase: "discover", wallMs: SCAN_MS, quiet: true } as const;
  if (!(await session.run({ ...step, argv })).ok) return null;
  return await readJson(session, HASHES_JSON, HashesSchema);
}

/**
 * Unpacks a repository's archive beside the source, and lists one directory of it.
 * @param directory of the project, `""` for the root.
 * @returns null where it could not be unpacked.
 */
export async function unpackRepository(
  session: GuestSession,
  archive: string,
  directory: string,
): Promise<UnpackedTree | null> {
  const step = { step: "unpack-repository", phase: "discover", wallMs: SCAN_MS } as const;
  const unpack = scan("unpack", "--out", REPOSITORY_JSON, archive, GUEST.repository);
  if (!(await session.run({ ...step, quiet: true, argv: unpack })).ok) return null;
  const { root, listing, refused } = await readJson(session, REPOSITORY_JSON, UnpackedSchema);
  for (const line of refused) session.log.note(`-- not unpacked: ${printableLine(line)}`);
  if (directory === "") return { root, listing };
  const below = `${root}/${directory}`;
  const argv = scan("tree", "--out", REPOSITORY_JSON, below);
  if (!(await session.run({ ...step, quiet: true, argv })).ok) return null;
  return { root: below, listing: await readJson(session, REPOSITORY_JSON, TreeListingSchema) };
}

export interface Examination {
  /** Null when no such distribution is installed. */
  readonly installed: InstalledListing | null;
  /** Null when it was not asked for, or could not end. */
  readonly smoke: SmokeResult | null;
}

/** What scan and smoke left, with the check whether the installed distributions agree with each other. */
export async function readExamined(
  session: GuestSession,
  markers: MarkerEnvironment,
  { endOf }: TogetherResult,
): Promise<Examination> {
  // Whichever listed it.
  const listed = endOf("scan").ok || endOf("unpack").ok;
  const installed = listed
    ? await readJson(session, INSTALLED_JSON, InstalledListingSchema.nullable())
    : null;
  if (!endOf("smoke").ok) return { installed, smoke: null };
  const tried = await readJson(session, SMOKE_JSON, SmokeSchema);
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
