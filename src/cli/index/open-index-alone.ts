import { join } from "node:path";

import { printableLine } from "../../base/bounded-text.ts";
import { openIndexService, type IndexService } from "../../index/index-service.ts";
import { launcher } from "../../launcher/client.ts";
import { directoriesFrom } from "../../launcher/directories.ts";
import type { FarmConfig } from "../../model/config/farm-config.ts";
import { findImage } from "../doctor/guests.ts";
import { askerCwd } from "../farm/asker-cwd.ts";
import { knownCratesIndex } from "../farm/find-crates-index.ts";
import { findFarmUpstreams } from "../farm/find-farm-upstreams.ts";
import { readConfig } from "../farm/read-config.ts";

export interface IndexAlone extends AsyncDisposable {
  readonly config: FarmConfig;
  /** `<cache>/index` */
  readonly directory: string;
  readonly index: IndexService;
}

/**
 * The mirror without guests: of crates as far as the host's cargo, or an image's that was asked before, says which.
 * @param given what was typed after `--config`.
 * @throws CreameryError `configuration-file`, `host-lacks`.
 */
export async function openIndexAlone(
  given: string | undefined,
  signal: AbortSignal,
): Promise<IndexAlone> {
  const { env } = process;
  const directories = directoriesFrom(env);
  const directory = join(directories.cache, "index");
  const { config } = await readConfig(given, askerCwd(env), launcher());
  const { image } = await findImage(directories.cache);
  const cratesIndex =
    config.upstreams.crates ??
    (await knownCratesIndex({ directory, env, signal }, image?.id ?? null));
  const upstreams = await findFarmUpstreams(config, {
    signal,
    env,
    cacheDir: directory,
    cratesIndex,
  });
  const index = await openIndexService({
    directory,
    upstreams,
    allow: config.allowedAddresses,
    onReplaced: (line) => process.stderr.write(`creamery: ${printableLine(line)}\n`),
  });
  return {
    config,
    directory,
    index,
    [Symbol.asyncDispose]: () => index[Symbol.asyncDispose](),
  };
}
