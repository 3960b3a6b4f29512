import { owned, temporaryDirectory } from "../../test/owned.ts";
import { startForge, type Forge, type ForgeOptions } from "../../test/upstream/forge.ts";
import type { CreameryError } from "../base/errors.ts";
import { GitMirrors, type GitMirrorsOptions } from "../index/git/git-mirrors.ts";
import { openIndexService } from "../index/index-service.ts";
import { sampleUpstreams } from "../index/upstream/upstreams.sample.ts";
import { FarmRepositoryHosts } from "../worker/farm-repository-hosts.ts";
import { indexRoutes } from "./index-routes.ts";
import { startLocalFarm, type FarmEnv, type LocalFarm } from "./local-farm.sample.ts";

/** Where a farm has its index. */
export const ROOT = "/api/v1/index/";

export interface Fleet {
  readonly forge: Forge;
  readonly farm: LocalFarm;
  readonly mirrors: GitMirrors;
  readonly url: string;
  /** What only the farm's log can tell. */
  readonly faults: CreameryError[];
  /** Mirrors of a worker's own. */
  worker(name: string): Promise<GitMirrors>;
}

/** A coordinator that mirrors what a forge has, and its API. */
export async function fleet(
  more: Partial<GitMirrorsOptions> = {},
  files: ForgeOptions["files"] = { "a.py": "a = 1\n" },
): Promise<Fleet> {
  const forge = owned(await startForge({ repository: "owner/repo.git", files, tag: "v1.2" }));
  const mirrors = owned(
    await GitMirrors.open({
      directory: temporaryDirectory("fleet"),
      allow: ["127.0.0.1"],
      authorities: async () => forge.ca,
      ...more,
    }),
  );
  const upstreams = await sampleUpstreams({ index: "http://127.0.0.1:9/simple/" });
  const directory = temporaryDirectory("fleet");
  const service = owned(await openIndexService({ directory, upstreams }));
  const faults: CreameryError[] = [];
  const index = service.farmIndex((fault) => void faults.push(fault), mirrors);
  const farm = owned(
    await startLocalFarm((api) =>
      api.route(
        "/index",
        indexRoutes<FarmEnv>({ index, root: ROOT, hostOf: (context) => context.get("worker") }),
      ),
    ),
  );
  const worker = async (name: string): Promise<GitMirrors> => {
    const client = await farm.worker(name);
    const hosts: GitMirrorsOptions["hosts"] = (wanted) => new FarmRepositoryHosts(client, wanted);
    const own = temporaryDirectory("fleet");
    return owned(await GitMirrors.open({ directory: own, hosts, intervalMs: 0 }));
  };
  return { forge, farm, mirrors, faults, url: `${forge.origin}/owner/repo.git`, worker };
}
