import { access } from "node:fs/promises";
import { join } from "node:path";

import type { Bucket } from "../../bucket/bucket.ts";
import { factsOfStore } from "../../bucket/retention/facts-of-store.ts";
import { policyFrom } from "../../bucket/retention/retention-facts.ts";
import { pinnedFiles, type PinnedFiles } from "../../index/cache/pinned-files.ts";
import type { Directories } from "../../launcher/directories.ts";
import type { FarmConfig } from "../../model/config/farm-config.ts";
import type { Store } from "../../store/store.ts";
import { openFarmBucket } from "../farm/open-farm-bucket.ts";
import { openFarmStore } from "../farm/open-farm-store.ts";
import { storeLocation } from "../farm/store-location.ts";

/** Tells which files must stay, where it is asked. */
export type FarmPins = (nowMs: number, signal: AbortSignal) => Promise<PinnedFiles>;

/** Of a host without results: there is nothing that anybody would run again. */
export const NO_PINS: FarmPins = async () => ({
  names: new Set<string>(),
  attempts: 0,
  unreadable: [],
});

export interface PinningFarm {
  readonly store: Pick<Store, "attempt" | "attempts">;
  readonly bucket: Pick<Bucket, "open">;
  readonly config: Pick<FarmConfig, "retention">;
  readonly directories: Pick<Directories, "cache">;
}

/** What the attempts name that [retention] keeps whole. */
export function pinsOf({ store, bucket, config, directories }: PinningFarm): FarmPins {
  const facts = factsOfStore(store, async () => null);
  const policy = policyFrom(config.retention);
  const directory = join(directories.cache, "index");
  return (nowMs, signal) => pinnedFiles({ facts, policy, bucket, directory, nowMs, signal });
}

/**
 * The same for a command of its own, that opens store and bucket when something must go; where there is no store, nothing is pinned.
 * @throws CreameryError `store`, `bucket`, `configuration-file`: what is pinned is not known then, and nothing may go.
 */
export function ownPins(config: FarmConfig, directories: Directories): FarmPins {
  return async (nowMs, signal) => {
    const location = await storeLocation(config, directories);
    const isHere = location.startsWith("/") ? await exists(location) : true;
    if (!isHere) return await NO_PINS(nowMs, signal);
    await using store = await openFarmStore(location);
    await using opened = await openFarmBucket(config, directories, process.env);
    const pins = pinsOf({ store, bucket: opened.bucket, config, directories });
    return await pins(nowMs, signal);
  };
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
