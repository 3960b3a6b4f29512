import type { GitMirrors } from "../../index/git/git-mirrors.ts";
import { openIndexService, type IndexService } from "../../index/index-service.ts";
import type { FarmConfig } from "../../model/config/farm-config.ts";
import { findCratesIndex, type CratesQuestion } from "./find-crates-index.ts";
import { findFarmUpstreams } from "./find-farm-upstreams.ts";

export interface OpenIndexOptions extends CratesQuestion {
  readonly config: FarmConfig;
  /** Those that guests are served. */
  readonly repositories?: GitMirrors | undefined;
  /** Told that an index lists a file with another hash than it had. */
  readonly onReplaced: (line: string) => void;
}

/**
 * The mirror of what this host's pip and cargo are configured for, or creamery.toml says.
 * @throws CreameryError `host-lacks`, `configuration-file`.
 */
export async function openIndex(options: OpenIndexOptions): Promise<IndexService> {
  const { config, directory, repositories, env, signal, onReplaced } = options;
  const upstreams = await findFarmUpstreams(config, {
    signal,
    env,
    cacheDir: directory,
    cratesIndex: config.upstreams.crates ?? (await findCratesIndex(options)),
  });
  return openIndexService({
    directory,
    upstreams,
    allow: config.allowedAddresses,
    onReplaced,
    ...(repositories === undefined ? {} : { repositories }),
  });
}
