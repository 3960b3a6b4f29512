import {
  findUpstreams,
  type FindUpstreamsOptions,
  type Upstreams,
} from "../../index/upstream/upstreams.ts";
import type { FarmConfig } from "../../model/config/farm-config.ts";

/** The upstreams of this host, as creamery.toml says or else as its own tools do. @throws CreameryError `host-lacks`, `configuration-file`. */
export async function findFarmUpstreams(
  { upstreams }: Pick<FarmConfig, "upstreams">,
  options: Omit<FindUpstreamsOptions, "settings">,
): Promise<Upstreams> {
  const settings = Object.fromEntries(
    Object.entries(upstreams).filter(([, value]) => value !== undefined),
  );
  return await findUpstreams({ settings, ...options });
}
