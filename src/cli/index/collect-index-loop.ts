import { setTimeout as sleep } from "node:timers/promises";

import { reasonOf } from "../../base/errors.ts";
import type { IndexBounds } from "../../model/config/index-table.ts";
import type { FarmPins } from "./farm-pins.ts";
import { collectFarmIndex, overLines } from "./gc.ts";
import { sizeText } from "../size-text.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Between days it may be so much over its bound. */
const SLACK = 1.1;

export interface CollectIndexLoopOptions {
  readonly directory: string;
  readonly bounds: IndexBounds;
  readonly pins: FarmPins;
  /** A day by default: in between nothing goes before it is over its bound by a tenth. */
  readonly everyMs?: number;
  /** Told what went, why it is still over the bound, or why nothing could be collected. */
  readonly tell: (line: string) => void;
  readonly now?: () => number;
}

/**
 * Brings what the mirror keeps down to its bound, once a day, and each hour when it is over it by much. A failure is told, and
 * the next hour tries again.
 */
export async function collectIndexLoop(
  options: CollectIndexLoopOptions,
  signal: AbortSignal,
): Promise<void> {
  const collect = collectIndexDaily(options);
  while (!signal.aborted) {
    await collect((options.now ?? Date.now)(), signal);
    await sleep(HOUR_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** One round, at the instant that is given. */
export function collectIndexDaily({
  directory,
  bounds,
  pins,
  everyMs = DAY_MS,
  tell,
}: CollectIndexLoopOptions): (nowMs: number, signal: AbortSignal) => Promise<void> {
  let lastMs = Number.NEGATIVE_INFINITY;
  return async (nowMs, signal) => {
    const isDue = nowMs - lastMs >= everyMs;
    const beginsAtBytes = isDue ? 0 : bounds.maxBytes * SLACK;
    try {
      const done = await collectFarmIndex(
        { directory, bounds, pins, dryRun: false, nowMs, beginsAtBytes },
        signal,
      );
      if (isDue) lastMs = nowMs;
      const { removed, removedBytes, keptBytes, pinnedAttempts } = done;
      // Where nothing had to go there is nothing to tell.
      if (pinnedAttempts === null) return;
      tell(
        [
          `removed ${removed.length} of ${sizeText(removedBytes)}, ${sizeText(keptBytes)} are kept`,
          ...overLines(done, bounds.graceMs),
        ].join("; "),
      );
    } catch (thrown) {
      if (!signal.aborted) tell(`nothing could be collected: ${reasonOf(thrown)}`);
    }
  };
}
