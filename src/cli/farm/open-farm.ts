import type { Bucket } from "../../bucket/bucket.ts";
import type { Store } from "../../store/store.ts";
import { openFarmBucket } from "./open-farm-bucket.ts";
import { openFarmStore } from "./open-farm-store.ts";
import { openHost, type Host, type OpenHostOptions } from "./open-host.ts";
import { storeLocation } from "./store-location.ts";

export type { MachineChoice } from "./open-host.ts";

export type OpenFarmOptions = Omit<OpenHostOptions, "index">;

/** This host's farm, opened for one command. */
export interface Farm extends Host {
  readonly bucket: Bucket;
  readonly store: Store;
}

/**
 * @throws CreameryError `configuration-file`, `isolation`, `host-lacks`, `image-build`, `store`, `bucket`, `disk-full`.
 */
export async function openFarm(options: OpenFarmOptions): Promise<Farm> {
  await using opened = new AsyncDisposableStack();
  const host = opened.use(await openHost(options));
  const { config, directories } = host;
  const store = opened.use(await openFarmStore(await storeLocation(config, directories)));
  const { bucket } = opened.use(await openFarmBucket(config, directories, options.env));
  const parts = opened.move();
  return { ...host, bucket, store, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}
