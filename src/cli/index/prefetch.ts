import { resolve } from "node:path";

import { z } from "zod";

import { printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { prefetch, type BroughtProject, type PrefetchWish } from "../../index/prefetch.ts";
import { launcher } from "../../launcher/client.ts";
import { askerCwd } from "../farm/asker-cwd.ts";
import { sizeText } from "../size-text.ts";
import { openIndexAlone } from "./open-index-alone.ts";
import { wishesOfLock, wishesOfRequirements, wishOf } from "./prefetch-wishes.ts";

const Options = z.object({
  config: z.string().optional(),
  requirements: z.string().optional(),
  lock: z.array(z.string()).default([]),
  onlyWheels: z.boolean().default(false),
  allReleases: z.boolean().default(false),
  maxGib: z.coerce.number().positive().default(4),
  json: z.boolean().default(false),
});

const MAX_TEXT_BYTES = 1 << 20;
const MAX_FAULTS = 20;

/**
 * `creamery index prefetch`.
 * @returns the exit code: 1 where something is not here now.
 * @throws CreameryError `usage`, `bad-requirement`, `configuration-file`, `host-lacks`, `disk-full`, `interrupted`.
 */
export async function prefetchIndex(
  names: readonly string[],
  given: unknown,
  signal: AbortSignal,
): Promise<number> {
  const parsed = Options.safeParse(given ?? {});
  if (!parsed.success)
    throw new CreameryError("usage", "is no size", {
      input: "--max-gib",
      nextStep: "write a number above 0",
    });
  const { json, maxGib, onlyWheels, allReleases, ...options } = parsed.data;
  const wishes: PrefetchWish[] = names.map(wishOf);
  const tell = (line: string): void => {
    if (!json) process.stdout.write(`${printableLine(line)}\n`);
  };
  if (options.requirements !== undefined) {
    const text = await readText(options.requirements);
    const found = wishesOfRequirements(text, options.requirements);
    wishes.push(...found.wishes);
    for (const note of found.notes) process.stderr.write(`creamery: ${printableLine(note)}\n`);
  }
  for (const lock of options.lock) wishes.push(...wishesOfLock(await readText(lock), lock));
  if (wishes.length === 0)
    throw new CreameryError("usage", "names nothing to fetch", {
      input: "index prefetch",
      nextStep: "name projects, or a file with -r or --lock",
    });
  await using alone = await openIndexAlone(options.config, signal);
  const brought = await prefetch({
    index: alone.index,
    wishes,
    onlyWheels,
    allReleases,
    maxBytes: maxGib * 1024 ** 3,
    signal,
    onProject: (one) => tell(projectLine(one)),
  });
  if (json) process.stdout.write(`${JSON.stringify({ schema: 1, projects: brought })}\n`);
  else tell(summaryLine(brought));
  return brought.every(({ faults }) => faults.length === 0) ? 0 : 1;
}

export function projectLine(brought: BroughtProject): string {
  const { project, versions, files, bytes, fetchedFiles, stale, faults } = brought;
  const which = versions.length > 3 ? ` ${versions.length} releases` : ` ${versions.join(", ")}`;
  const told =
    files === 0 ? "" : `${countText(files)} of ${sizeText(bytes)}, ${fetchedFiles} fetched now`;
  const more = faults.length > MAX_FAULTS ? [`and ${faults.length - MAX_FAULTS} more`] : [];
  const parts = [
    ...(told === "" ? [] : [told]),
    ...(stale ? ["its page is an older one: the index can't be asked now"] : []),
    ...faults.slice(0, MAX_FAULTS),
    ...more,
  ];
  return `${project}${which.trimEnd()}: ${parts.join("; ")}`;
}

function summaryLine(brought: readonly BroughtProject[]): string {
  const sum = (of: (one: BroughtProject) => number): number =>
    brought.reduce((total, one) => total + of(one), 0);
  const lacking = brought.filter(({ faults }) => faults.length > 0).length;
  return [
    `fetched ${countText(sum((one) => one.fetchedFiles))} of ${sizeText(sum((one) => one.fetchedBytes))}; ${sum((one) => one.files)} of ${sizeText(sum((one) => one.bytes))} are here now`,
    ...(lacking === 0
      ? []
      : [`not all is here of ${lacking} ${lacking === 1 ? "project" : "projects"}`]),
  ].join("; ");
}

function countText(files: number): string {
  return `${files} ${files === 1 ? "file" : "files"}`;
}

async function readText(given: string): Promise<string> {
  const path = resolve(askerCwd(), given);
  return (await launcher().request({ kind: "read-user-text", path, maxBytes: MAX_TEXT_BYTES }))
    .text;
}
