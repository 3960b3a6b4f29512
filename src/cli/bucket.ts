import { join } from "node:path";

import { z } from "zod";

import { collectGarbage, type Collected } from "../bucket/retention/collect-garbage.ts";
import { factsOfStore } from "../bucket/retention/facts-of-store.ts";
import type { Removal, RemovalReason } from "../bucket/retention/plan-collection.ts";
import { policyFrom } from "../bucket/retention/retention-facts.ts";
import { launcher } from "../launcher/client.ts";
import { directoriesFrom } from "../launcher/directories.ts";
import { checkBucket, type BucketState } from "./bucket/check-bucket.ts";
import { imageFilesOf } from "./bucket/image-files.ts";
import { askerCwd } from "./farm/asker-cwd.ts";
import { openFarmBucket } from "./farm/open-farm-bucket.ts";
import { openFarmStore } from "./farm/open-farm-store.ts";
import { readConfig } from "./farm/read-config.ts";
import { storeLocation } from "./farm/store-location.ts";

export type BucketAction = "check" | "gc";

const Options = z.object({
  config: z.string().optional(),
  json: z.boolean().default(false),
  dryRun: z.boolean().default(false),
  quick: z.boolean().default(false),
});

/**
 * `creamery bucket check|gc`.
 * @returns the exit code: 1 where something is damaged or missing.
 * @throws CreameryError `bucket`, `store`, `configuration-file`, `interrupted`.
 */
export async function bucketCommand(
  action: BucketAction,
  given: unknown,
  signal: AbortSignal,
): Promise<number> {
  const options = Options.parse(given ?? {});
  const directories = directoriesFrom(process.env);
  const { config } = await readConfig(options.config, askerCwd(), launcher());
  await using opened = await openFarmBucket(config, directories, process.env);
  const { bucket, place } = opened;
  switch (action) {
    case "check": {
      const state = await checkBucket(bucket, { quick: options.quick, signal });
      say(options.json ? JSON.stringify({ schema: 1, place, ...state }) : stateText(place, state));
      return state.faults.length === 0 ? 0 : 1;
    }
    case "gc": {
      await using store = await openFarmStore(await storeLocation(config, directories));
      // What images were made of lies below the data directory, wherever the rest is.
      const isOwn = place === join(directories.data, "bucket");
      const facts = factsOfStore(store, async () =>
        isOwn ? await imageFilesOf(join(directories.cache, "images")) : null,
      );
      const policy = policyFrom(config.retention);
      const { dryRun } = options;
      const done = await collectGarbage({
        bucket,
        facts,
        policy,
        nowMs: Date.now(),
        dryRun,
        signal,
      });
      say(options.json ? JSON.stringify(collectedJson(done, dryRun)) : collectedText(done, dryRun));
      return 0;
    }
  }
}

function stateText(place: string, { rooms, faults }: BucketState): string {
  const rows = Object.entries(rooms)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, { blobs, bytes }]) => `  ${name}: ${blobs} kept in ${sizeText(bytes)}`);
  const told = faults.map(({ key, fault }) => `  ${key}: ${fault}`);
  return [
    `${place}: ${faults.length === 0 ? "sound" : `${faults.length} not sound`}`,
    ...(rows.length === 0 ? ["  nothing is in it"] : rows),
    ...told,
  ].join("\n");
}

const WHY: Readonly<Record<RemovalReason, string>> = {
  "lock-only": "of an attempt of which only the lock is kept",
  "unknown-attempt": "of an attempt that came to no end",
  remnant: "left of an attempt that nothing can run again",
  "size-bound": "the oldest that is not pinned, for retention.max_gib",
  "old-comparison": "a comparison of long ago",
  unreferenced: "nothing that is kept refers to it",
};

/** What went or would go, and what the bound made of it. */
export function collectedText(done: Collected, dryRun: boolean): string {
  const { plan, removed, removedBytes, spared, left, leftovers, retention } = done;
  const pinned = [...retention.values()].filter(({ keeps }) => keeps === "whole").length;
  return [
    ...(dryRun ? removed.map(({ key, because }) => `${key}: ${WHY[because]}`) : []),
    `${dryRun ? "would remove" : "removed"} ${removed.length} of ${sizeText(removedBytes)}${whyText(removed)}`,
    ...(leftovers.count === 0
      ? []
      : [`${dryRun ? "would remove" : "removed"} ${leftovers.count} halves that were left`]),
    ...(spared.length === 0 ? [] : [`spared ${spared.length}, which are needed by now`]),
    ...(left === 0 ? [] : [`${left} are left for the next run: run it again`]),
    `${pinned} of ${retention.size} attempts are pinned whole; of the rest the lock is kept; ${sizeText(plan.keptBytes)} in all`,
    ...(plan.unreadable.length === 0
      ? []
      : [
          `no source was collected: what ${plan.unreadable.slice(0, 3).join(", ")} refers to can't be read; see ./creamery bucket check`,
        ]),
    ...(plan.overBytes === 0
      ? []
      : [
          `over retention.max_gib by ${sizeText(plan.overBytes)}: what is pinned or too young takes ${sizeText(plan.pinnedBytes)}; raise it, or lower retention.days or retention.newest`,
        ]),
  ].join("\n");
}

function whyText(removals: readonly Removal[]): string {
  const counts = new Map<RemovalReason, number>();
  for (const { because } of removals) counts.set(because, (counts.get(because) ?? 0) + 1);
  const parts = [...counts].map(([because, count]) => `${count} ${because}`);
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

function collectedJson(
  { plan, removed, removedBytes, spared, left, leftovers, retention }: Collected,
  dryRun: boolean,
) {
  const { removals: _, ...sizes } = plan;
  const pinned = [...retention].flatMap(([id, one]) =>
    one.keeps === "whole" ? [{ id, because: one.because }] : [],
  );
  return {
    schema: 1,
    dryRun,
    removed,
    removedBytes,
    spared,
    left,
    leftovers,
    ...sizes,
    attempts: retention.size,
    pinned,
  };
}

function sizeText(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`;
  return `${(bytes / 1e3).toFixed(1)} kB`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
