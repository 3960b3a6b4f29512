import type { FarmStatus, StatusSource } from "../../web/api/schemas/status.ts";
import { CreameryError } from "../../base/errors.ts";
import { printableLine } from "../../base/bounded-text.ts";
import { LANES } from "../../queue/job.ts";
import type { LaneCount } from "../../queue/job-counts.ts";
import { isLostAfter } from "./alarms.ts";
import type { WatchOver } from "./watch-over.ts";
import type { WatchedHealth } from "./watching.ts";

export interface StatusSourceDeps {
  readonly over: Pick<WatchOver, "look" | "alarms" | "startedMs">;
  readonly leaseMs: number;
  readonly version: string;
  readonly now?: () => number;
}

const CATCHING_UP_MS = 60_000;

/** What `creamery status` shows. @throws CreameryError `store` while the store does not answer: there is no more to tell then. */
export function statusSource({
  over,
  leaseMs,
  version,
  now = Date.now,
}: StatusSourceDeps): StatusSource {
  return {
    status: async () => {
      const facts = await over.look();
      if (facts === null)
        throw new CreameryError("store", over.alarms[0]?.text ?? "the store does not answer", {
          nextStep: "look at the database and its disk; the farm goes on when it answers",
        });
      const isLost = isLostAfter(leaseMs, facts.atMs);
      return {
        version,
        at: instant(now()),
        startedAt: instant(over.startedMs),
        watchers: facts.watchers.map(watcherOf),
        queue: LANES.map((lane) => laneOf(lane, facts.lanes)),
        hosts: facts.hosts.map(({ name, state, reason, seenMs, slots, facts: { running } }) => ({
          name,
          state,
          reason,
          seenAt: instant(seenMs),
          isLost: isLost(seenMs),
          slots,
          running,
        })),
        disks: facts.disks.map((disk) => ({ ...disk })),
        latency: facts.latency,
        alarms: over.alarms.map(({ kind, sinceMs, text, nextStep }) => ({
          kind,
          since: instant(sinceMs),
          text: printableLine(text),
          nextStep,
        })),
      };
    },
  };
}

function watcherOf(health: WatchedHealth): FarmStatus["watchers"][number] {
  const { watcher, source, lastSuccessAt, consecutiveFailures, fault, lagMs } = health;
  return {
    // What follows tells one index from another, as `source` does for people.
    name: watcher.replace(/:.*$/u, ""),
    source,
    state:
      fault !== null
        ? "failing"
        : (lagMs ?? 0) > CATCHING_UP_MS || lastSuccessAt === null
          ? "catching-up"
          : "following",
    lagSeconds: lagMs === null ? null : Math.max(0, lagMs) / 1000,
    lastRoundAt: lastSuccessAt === null ? null : instant(lastSuccessAt),
    failures: consecutiveFailures,
    lastFailure: fault === null ? null : printableLine(fault),
  };
}

function laneOf(
  lane: (typeof LANES)[number],
  counts: readonly LaneCount[],
): FarmStatus["queue"][number] {
  const of = (state: LaneCount["state"]) =>
    counts.find((one) => one.lane === lane && one.state === state);
  const queued = of("queued");
  return {
    lane,
    queued: queued?.count ?? 0,
    waiting: of("waiting")?.count ?? 0,
    leased: of("leased")?.count ?? 0,
    dead: of("dead")?.count ?? 0,
    oldestAt: queued === undefined ? null : instant(queued.oldestMs),
  };
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
