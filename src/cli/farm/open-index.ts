import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { openIndexService, type IndexService } from "../../index/index-service.ts";
import { findUpstreams, hostCratesIndex } from "../../index/upstreams.ts";
import type { GuestSpec, Machine } from "../../machine/machine.ts";
import type { FarmConfig } from "../../model/config/farm-config.ts";
import { askImagesCargo } from "../../worker/ask-cargo.ts";

export interface OpenIndexOptions {
  readonly config: FarmConfig;
  /** The farm's own. */
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** Where the image's own cargo is asked, if the host has none that says which index it uses. */
  readonly asked: () => Promise<{ readonly machine: Machine; readonly spec: GuestSpec }>;
}

/**
 * The mirror of what this host's pip and cargo are configured for, or creamery.toml says.
 * @throws CreameryError `host-lacks`, `configuration-file`.
 */
export async function openIndex(options: OpenIndexOptions): Promise<IndexService> {
  const { config, directory, env, signal } = options;
  const settings = Object.fromEntries(
    Object.entries(config.upstreams).filter(([, value]) => value !== undefined),
  );
  const upstreams = await findUpstreams({
    settings,
    signal,
    env,
    cacheDir: directory,
    cratesIndex: config.upstreams.crates ?? (await findCratesIndex(options)),
  });
  return openIndexService({ directory, upstreams, allow: config.allowedAddresses });
}

/** The host's cargo is asked, else the image's, once for each image. */
async function findCratesIndex({
  directory,
  env,
  signal,
  asked,
}: OpenIndexOptions): Promise<string | null> {
  const host = await hostCratesIndex(env, { cacheDir: directory, signal });
  if (host !== null) return host;
  const kept = join(directory, "crates-index-of-image");
  const { machine, spec } = await asked();
  const [image, url] = (await readFile(kept, "utf8").catch(() => "")).split("\n");
  if (image === spec.imageId && url !== undefined) return url === "" ? null : url;
  const found = await askImagesCargo(machine, spec, null, signal);
  await writeFile(kept, `${spec.imageId}\n${found ?? ""}\n`).catch(() => undefined);
  return found;
}
