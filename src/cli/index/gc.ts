import { join } from "node:path";

import { z } from "zod";

import { collectIndex, type CollectedIndex } from "../../index/cache/collect-index.ts";
import type { PinnedFiles } from "../../index/cache/pinned-files.ts";
import { launcher } from "../../launcher/client.ts";
import { directoriesFrom } from "../../launcher/directories.ts";
import { indexBounds, type IndexBounds } from "../../model/config/index-table.ts";
import { askerCwd } from "../farm/asker-cwd.ts";
import { readConfig } from "../farm/read-config.ts";
import { sizeText } from "../size-text.ts";
import { agoText } from "../table.ts";
import { ownPins, type FarmPins } from "./farm-pins.ts";

const Options = z.object({
  config: z.string().optional(),
  json: z.boolean().default(false),
  dryRun: z.boolean().default(false),
});

/**
 * `creamery index gc`: what the mirror keeps, down to its bound.
 * @throws CreameryError `store`, `bucket`, `configuration-file`, `unreadable-path`, `interrupted`.
 */
export async function gcIndex(given: unknown, signal: AbortSignal): Promise<number> {
  const { config: file, json, dryRun } = Options.parse(given ?? {});
  const directories = directoriesFrom(process.env);
  const { config } = await readConfig(file, askerCwd(), launcher());
  const directory = join(directories.cache, "index");
  const bounds = indexBounds(config);
  const done = await collectFarmIndex(
    { directory, bounds, dryRun, pins: ownPins(config, directories), nowMs: Date.now() },
    signal,
  );
  const told = { schema: 1, directory, dryRun, ...done };
  process.stdout.write(`${json ? JSON.stringify(told) : gcText(done, bounds, dryRun)}\n`);
  return 0;
}

export interface CollectFarmIndexOptions {
  readonly directory: string;
  readonly bounds: IndexBounds;
  readonly pins: FarmPins;
  readonly dryRun: boolean;
  readonly nowMs: number;
  /** Nothing goes before so much is kept; by default the bound. */
  readonly beginsAtBytes?: number;
}

export interface CollectedFarmIndex extends CollectedIndex {
  /** Null where nothing had to go, and nobody was asked. */
  readonly pinnedAttempts: number | null;
  readonly unreadable: readonly string[];
}

/** @throws CreameryError as `collectIndex`, and where what is pinned can't be known. */
export async function collectFarmIndex(
  options: CollectFarmIndexOptions,
  signal: AbortSignal,
): Promise<CollectedFarmIndex> {
  const { bounds, pins, ...rest } = options;
  let pinned: PinnedFiles | null = null;
  const done = await collectIndex({
    ...rest,
    ...bounds,
    pinned: async () => {
      pinned = await pins(options.nowMs, signal);
      return pinned.names;
    },
    signal,
  });
  const known: PinnedFiles | null = pinned;
  return { ...done, ...pinText(known) };
}

function pinText(
  pinned: PinnedFiles | null,
): Pick<CollectedFarmIndex, "pinnedAttempts" | "unreadable"> {
  return { pinnedAttempts: pinned?.attempts ?? null, unreadable: pinned?.unreadable ?? [] };
}

/** What went or would go, and what the bound made of it. */
export function gcText(
  done: CollectedFarmIndex,
  { graceMs }: IndexBounds,
  dryRun: boolean,
): string {
  const { removed, removedBytes, leftovers, keptBytes, maxBytes, unreadable } = done;
  const nowMs = Date.now();
  const would = dryRun ? "would remove" : "removed";
  return [
    ...(dryRun
      ? removed.map(
          ({ area, name, bytes, usedMs }) =>
            `${area} ${name}: ${sizeText(bytes)}, used ${agoText(new Date(usedMs).toISOString(), nowMs)}`,
        )
      : []),
    `${would} ${removed.length} of ${sizeText(removedBytes)}; ${sizeText(keptBytes)} of ${sizeText(maxBytes)} are kept`,
    ...(leftovers.count === 0
      ? []
      : [`${would} ${leftovers.count} leftovers of ${sizeText(leftovers.bytes)}`]),
    ...(unreadable.length === 0
      ? []
      : [
          `what ${unreadable.slice(0, 3).join(", ")} refer${unreadable.length === 1 ? "s" : ""} to can't be read and pins nothing; see ./creamery bucket check`,
        ]),
    ...overLines(done, graceMs),
  ].join("\n");
}

/** Why it is over the bound all the same; empty where it is not. */
export function overLines(
  { overBytes, pinnedBytes, youngBytes, maxBytes }: CollectedFarmIndex,
  graceMs: number,
): string[] {
  if (overBytes === 0) return [];
  const alone = pinnedBytes > maxBytes ? " alone, more than the bound" : "";
  return [
    `over index.max_gib by ${sizeText(overBytes)}: pinned by attempts that are kept is ${sizeText(pinnedBytes)}${alone}, used in the last ${graceMs / 3_600_000} hours ${sizeText(youngBytes)}; raise it, or lower retention.days or index.grace_hours`,
  ];
}
