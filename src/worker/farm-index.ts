import { FarmIndexFacts, farmUpstreams } from "../index/upstream/farm-upstreams.ts";
import type { GitMirrors } from "../index/git/git-mirrors.ts";
import { openIndexService, type IndexService } from "../index/index-service.ts";
import type { FarmClient } from "./farm-client.ts";

export interface FarmIndexOptions {
  readonly farm: FarmClient;
  /** This worker's own: what it fetched is kept below. */
  readonly directory: string;
  readonly signal: AbortSignal;
  /** Mirrors of this worker's, of the farm's. */
  readonly repositories?: GitMirrors | undefined;
}

/**
 * This worker's index service, with its farm in the place of all upstreams: nothing of this host's pip or cargo counts. What its
 * attempts record, and the locks that come of that, are as on the farm itself.
 * @throws CreameryError `farm-refused`, `no-network`, `upstream`, `interrupted`.
 */
export async function openFarmIndex(options: FarmIndexOptions): Promise<IndexService> {
  const { farm, directory, signal, repositories } = options;
  const { addresses } = await farm.json({ path: "index/", signal }, FarmIndexFacts);
  const { api, authorization, ca } = farm.address;
  const url = `${api}index/`;
  return await openIndexService({
    directory,
    upstreams: farmUpstreams({ url, authorization, ca, addresses }),
    ...(repositories === undefined ? {} : { repositories }),
  });
}
