import { join } from "node:path";

import { openBucket, type OpenBucket } from "../../bucket/open-bucket.ts";
import type { Directories } from "../../launcher/directories.ts";
import type { FarmConfig } from "../../model/config/farm-config.ts";

/** The bucket of this farm: where creamery.toml says, else below the data directory. @throws CreameryError `bucket`, `configuration-file`. */
export async function openFarmBucket(
  { bucket }: Pick<FarmConfig, "bucket">,
  { data }: Pick<Directories, "data">,
  env: NodeJS.ProcessEnv,
): Promise<OpenBucket> {
  return await openBucket(bucket, {
    directory: join(data, "bucket"),
    spoolDirectory: join(data, "spool"),
    env,
  });
}
