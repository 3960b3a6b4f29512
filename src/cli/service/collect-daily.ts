import { join } from "node:path";

import type { Bucket } from "../../bucket/bucket.ts";
import { collectGarbage } from "../../bucket/retention/collect-garbage.ts";
import { factsOfStore } from "../../bucket/retention/facts-of-store.ts";
import { policyFrom } from "../../bucket/retention/retention-facts.ts";
import { imageFilesOf } from "../bucket/image-files.ts";
import type { Host } from "../farm/open-host.ts";
import type { FarmLog } from "./farm-log.ts";
import type { Service } from "./open-service.ts";

const DAY_MS = 86_400_000;

/** Collects what is kept no longer, once a day (docs/bucket.md): called each hour, with the instant now. */
export function collectDaily(
  { config, directories }: Host,
  { store }: Pick<Service, "store">,
  bucket: Bucket,
  place: string,
  log: FarmLog,
  signal: AbortSignal,
): (nowMs: number) => Promise<void> {
  let lastMs = 0;
  const isOwn = place === join(directories.data, "bucket");
  const facts = factsOfStore(store, async () =>
    isOwn ? await imageFilesOf(join(directories.cache, "images")) : null,
  );
  return async (nowMs) => {
    if (nowMs - lastMs < DAY_MS) return;
    const policy = policyFrom(config.retention);
    const done = await collectGarbage({ bucket, facts, policy, nowMs, dryRun: false, signal });
    lastMs = nowMs;
    const { removed, removedBytes, plan } = done;
    const over = plan.overBytes === 0 ? "" : `; pinned alone is ${plan.overBytes} bytes too much`;
    log.tell("housekeeping", {
      what: "bucket",
      detail: `removed ${removed.length} blobs of ${removedBytes} bytes${over}`,
    });
  };
}
