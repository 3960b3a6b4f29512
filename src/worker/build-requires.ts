import { createReadStream } from "node:fs";
import { join } from "node:path";

import { parse } from "smol-toml";
import { z } from "zod";

import { PROCESS_NAME } from "../base/process-name.ts";
import type { TreeListing } from "../discovery/plan.ts";
import type { Machine } from "../machine/machine.ts";
import type { Limits } from "../model/config/limits.ts";
import { parseIni } from "../python/ini.ts";
import { parseRequirement } from "../python/requirements.ts";
import type { HostFile } from "./attempt-job.ts";
import { AttemptLog } from "./attempt-log.ts";
import { GUEST } from "./guest-environment.ts";
import { readUnpacked, unpackCommand } from "./guest-scans.ts";
import { GuestSession } from "./guest-session.ts";
import { guestSpec } from "./guest-spec.ts";

const UNPACK_MS = 60_000;

const BuildSystem = z.object({
  "build-system": z.object({ requires: z.array(z.string()) }),
});

/**
 * Projects that a source names as what it is built with, normalised: `build-system.requires` (PEP 518), where there is
 * none setuptools and wheel, as installers take; and what setup.cfg has in `setup_requires`. What these need themselves is
 * not among them.
 */
export function buildRequirements(tree: Pick<TreeListing, "texts">): string[] {
  const named = [...fromPyproject(tree.texts["pyproject.toml"]), ...fromSetupCfg(tree)];
  const projects = named.flatMap((text) => parseRequirement(text)?.project ?? []);
  return [...new Set(projects)].toSorted();
}

const LEGACY = ["setuptools", "wheel"];

function fromPyproject(text: string | undefined): readonly string[] {
  if (text === undefined) return LEGACY;
  try {
    return BuildSystem.safeParse(parse(text)).data?.["build-system"].requires ?? LEGACY;
  } catch {
    return LEGACY;
  }
}

function fromSetupCfg({ texts }: Pick<TreeListing, "texts">): readonly string[] {
  const text = texts["setup.cfg"];
  if (text === undefined) return [];
  const parsed = parseIni(text);
  if (parsed.kind === "bad") return [];
  return (parsed.ini.get("options")?.get("setup_requires") ?? "").split("\n");
}

export interface BuildRequiresDeps {
  readonly machine: Machine;
  readonly imageId: string;
  readonly limits: Limits;
  /** The farm's own, for a log that nobody keeps. */
  readonly workDirectory: string;
  readonly newId: () => string;
}

/**
 * The same of a source that is still packed: it is unpacked in a guest of its own, in which nothing of it runs.
 * @returns null when it can't be unpacked: the attempts themselves will say why.
 * @throws CreameryError `machine-start`, `agent-lost`, `channel`; the signal's reason.
 */
export async function readBuildRequirements(
  file: HostFile,
  { machine, imageId, limits, workDirectory, newId }: BuildRequiresDeps,
  signal: AbortSignal,
): Promise<readonly string[] | null> {
  await using guest = await machine.start(guestSpec(machine, imageId, limits), signal);
  await using log = new AttemptLog(join(workDirectory, `${PROCESS_NAME}-${newId()}.log`));
  const session = new GuestSession(
    guest,
    log,
    { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: GUEST.home, LANG: "C.UTF-8" },
    { outputBytes: limits.outputBytes, slowness: machine.slowness },
    signal,
  );
  const archive = `${GUEST.upload}/${file.filename}`;
  await guest.put(archive, createReadStream(file.path), { mode: 0o644, owner: "job" });
  const result = await session.together(
    { step: "unpack", phase: "fetch", cwd: GUEST.home, wallMs: UNPACK_MS },
    [[[unpackCommand(archive)]]],
  );
  const { tree } = await readUnpacked(session, archive, result);
  return tree === null ? null : buildRequirements(tree.listing);
}
