import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";

import { lineOfFault } from "../../base/errors.ts";
import type { AttemptBucket } from "../../bucket/bucket.ts";
import { HostFacts } from "../../queue/hosts.ts";
import { newAttemptId } from "../../store/attempt-id.ts";
import type { Coordinator } from "../../worker/coordinator.ts";
import { LiveFeed } from "../../worker/live-feed.ts";
import { Room } from "../../worker/room.ts";
import { WarmInstaller } from "../../worker/warm-installer.ts";
import { WorkerLoop } from "../../worker/worker-loop.ts";
import type { Host } from "../farm/open-host.ts";
import { runLeased } from "../farm/run-leased.ts";
import type { FarmLog } from "./farm-log.ts";

export interface RunHostOptions {
  readonly host: Host;
  readonly coordinator: Coordinator;
  readonly boot: string;
  readonly bucket: AttemptBucket;
  /** Null for one for each core. */
  readonly slots: number | null;
  readonly log: FarmLog;
  readonly version: string;
  readonly watermarkBytes?: number;
}

/** Of the process that holds leases: no other has it. */
export function newBoot(): string {
  return newAttemptId(Date.now(), randomBytes(7));
}

export function slotsOf(slots: number | null): number {
  return slots ?? availableParallelism();
}

/** Takes this host's share of the farm's jobs until the signal ends it. @throws CreameryError `farm-refused`. */
export async function runHost(options: RunHostOptions, signal: AbortSignal): Promise<void> {
  const { host, coordinator, boot, bucket, log } = options;
  const warm = new WarmInstaller(host.warmDirectory);
  const { limits } = host.config;
  const { cache, data } = host.directories;
  const room = new Room({
    memoryBytes: limits.memoryBytes,
    directories: [cache, data],
    ...(options.watermarkBytes === undefined ? {} : { watermarkBytes: options.watermarkBytes }),
  });
  const name = host.machine.kind;
  let lack: string | null = null;
  const began = new Map<string, number>();
  const loop = new WorkerLoop({
    coordinator,
    boot,
    slots: slotsOf(options.slots),
    without: host.image.missing.map((missing) => missing.name),
    facts: (running) =>
      HostFacts.parse({
        version: options.version,
        machine: host.machine.kind,
        image: host.image.id,
        cores: availableParallelism(),
        running,
        ...room.facts(),
      }),
    hasRoom: () => {
      const now = room.lack();
      if (now !== null && lack === null) log.tell("no-room", { reason: now });
      if (now === null && lack !== null) log.tell("room-again", { host: name });
      lack = now;
      return now === null;
    },
    run: (job, ends) => {
      const feed = new LiveFeed(coordinator, job.attempt);
      return runLeased(
        job,
        {
          host,
          warm,
          bucket,
          latestComparable: (query) => coordinator.latestComparable(query, ends),
          onPhase: (doing) => feed.phase(doing),
          echo: (text) => feed.log(text),
        },
        ends,
      );
    },
    events: {
      onClaimed: ({ project, version, configuration, attempt }) => {
        began.set(attempt, performance.now());
        log.tell("worker-claimed", { project, version, configuration, attempt });
      },
      onFinished: ({ project, version, configuration, attempt }, finish, kept) => {
        const seconds = (performance.now() - (began.get(attempt) ?? performance.now())) / 1000;
        began.delete(attempt);
        const said =
          finish.kind === "done"
            ? (finish.recordings[0]?.attempt.outcome ?? "done")
            : "reason" in finish
              ? `${finish.kind}: ${finish.reason}`
              : finish.kind;
        const outcome = kept ? said : `lost (${said})`;
        log.tell("worker-finished", {
          project,
          version,
          configuration,
          attempt,
          outcome,
          seconds: Math.round(seconds * 100) / 100,
        });
      },
      onTrouble: (fault) => log.tell("worker-trouble", { reason: lineOfFault(fault) }),
      onRecovered: () => log.tell("worker-recovered", { host: name }),
    },
  });
  await loop.run(signal);
}
