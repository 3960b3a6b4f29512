import { gib } from "../../worker/room.ts";
import type { FarmFacts } from "./farm-facts.ts";

/** Something that an operator should know of. */
export interface Alarm {
  /** A word for programs. */
  readonly kind: AlarmKind;
  /** What it is about: a host, a watcher, a disk; empty for the farm. */
  readonly subject: string;
  /** For a person. */
  readonly text: string;
  readonly nextStep: string;
  /** Whether the farm does not do its work while it lasts: the dead-man's switch says nothing then. */
  readonly stopsFarm: boolean;
}

export const ALARM_KINDS = [
  "store",
  "housekeeping-late",
  "host-lost",
  "host-out",
  "no-hosts",
  "watcher-failing",
  "disk-low",
  "jobs-dead",
  "behind",
] as const;
export type AlarmKind = (typeof ALARM_KINDS)[number];

export interface AlarmInput {
  /** Null where the store does not answer; then why. */
  readonly facts: FarmFacts | null;
  readonly storeFault: string | null;
  readonly nowMs: number;
  readonly startedMs: number;
  /** When leases were last looked through. */
  readonly houseKeptMs: number;
  readonly leaseMs: number;
  /** Of the host in this process; null where it takes no jobs. */
  readonly ownHost: string | null;
  readonly watermarkBytes: number;
  /** Jobs that came to their end without a result, since a day ago. */
  readonly deadLately: number;
}

const MINUTE_MS = 60_000;
const HOUSE_LATE_MS = 2 * MINUTE_MS;
/** Upstreams fail for a moment every day. */
const WATCHER_FAILS_MS = 15 * MINUTE_MS;
const WATCHER_FAILURES = 3;
/** What has waited for so long waits for more hosts. */
const BEHIND_MS = { manual: 15 * MINUTE_MS, priority: 60 * MINUTE_MS } as const;

/** What is wrong now, the worst first. */
export function alarmsOf(input: AlarmInput): readonly Alarm[] {
  const { facts } = input;
  return [
    ...storeAlarms(input),
    ...(facts === null
      ? []
      : [
          ...hostAlarms(facts, input),
          ...watcherAlarms(facts, input),
          ...diskAlarms(facts, input),
          ...queueAlarms(facts, input),
        ]),
  ];
}

function storeAlarms({ storeFault, nowMs, houseKeptMs }: AlarmInput): readonly Alarm[] {
  if (storeFault !== null)
    return [
      {
        kind: "store",
        subject: "",
        text: `the store does not answer: ${storeFault}`,
        nextStep: "look at the database and its disk; the farm goes on when it answers",
        stopsFarm: true,
      },
    ];
  if (nowMs - houseKeptMs < HOUSE_LATE_MS) return [];
  return [
    {
      kind: "housekeeping-late",
      subject: "",
      text: `ended leases were last taken back ${minutes(nowMs - houseKeptMs)} ago`,
      nextStep: "look at the farm's log, and restart it",
      stopsFarm: true,
    },
  ];
}

function hostAlarms(facts: FarmFacts, input: AlarmInput): readonly Alarm[] {
  const { nowMs, leaseMs, ownHost, startedMs } = input;
  const alarms: Alarm[] = [];
  const isLost = isLostAfter(leaseMs, facts.atMs);
  for (const { name, state, reason, seenMs } of facts.hosts) {
    const lost = isLost(seenMs) && nowMs - startedMs > leaseMs;
    if (state === "out-of-service")
      alarms.push({
        kind: "host-out",
        subject: name,
        text: `${name} is out of service: ${reason ?? "no reason was given"}`,
        nextStep: `look at that host, then ./creamery drain ${name} --resume`,
        stopsFarm: name === ownHost,
      });
    else if (lost && state === "active")
      alarms.push({
        kind: "host-lost",
        subject: name,
        text: `${name} has said nothing for ${minutes(nowMs - seenMs)}; its jobs were given to others`,
        nextStep: `start its worker again, or ./creamery drain ${name} if it is gone for good`,
        stopsFarm: name === ownHost,
      });
  }
  const takes = facts.hosts.some(({ state, seenMs }) => state === "active" && !isLost(seenMs));
  if (!takes && nowMs - startedMs > leaseMs)
    alarms.push({
      kind: "no-hosts",
      subject: "",
      text: "no host takes jobs",
      nextStep:
        "start ./creamery worker on a host, or give one jobs again: ./creamery drain HOST --resume",
      stopsFarm: true,
    });
  return alarms;
}

/** Whether a host that was seen then is gone: two leases, for a heartbeat is noted only now and then. */
export function isLostAfter(leaseMs: number, nowMs: number): (seenMs: number) => boolean {
  return (seenMs) => nowMs - seenMs > 2 * leaseMs;
}

function watcherAlarms(
  { watchers }: FarmFacts,
  { nowMs, startedMs }: AlarmInput,
): readonly Alarm[] {
  return watchers.flatMap(
    ({ watcher, source, consecutiveFailures, lastSuccessAt, fault }): Alarm[] => {
      if (consecutiveFailures < WATCHER_FAILURES) return [];
      const sinceMs = nowMs - (lastSuccessAt ?? startedMs);
      return [
        {
          kind: "watcher-failing",
          subject: watcher,
          text: `watching ${source} has failed ${consecutiveFailures} times in a row, for ${minutes(sinceMs)}: ${fault ?? "no reason is known"}`,
          nextStep: "look at that upstream; it is asked again by itself, and nothing is missed",
          stopsFarm: sinceMs >= WATCHER_FAILS_MS,
        },
      ];
    },
  );
}

function diskAlarms({ disks }: FarmFacts, { watermarkBytes }: AlarmInput): readonly Alarm[] {
  return disks
    .filter(({ freeBytes }) => freeBytes < watermarkBytes)
    .map(({ what, path, freeBytes }) => ({
      kind: "disk-low" as const,
      subject: what,
      text: `${path} has ${gib(freeBytes)} free: nothing is claimed below ${gib(watermarkBytes)}`,
      nextStep: "free some space; the farm goes on by itself",
      stopsFarm: true,
    }));
}

function queueAlarms({ lanes }: FarmFacts, { nowMs, deadLately }: AlarmInput): readonly Alarm[] {
  const alarms: Alarm[] = [];
  if (deadLately > 0)
    alarms.push({
      kind: "jobs-dead",
      subject: "",
      text: `${deadLately} jobs of the last day came to no end and are dead`,
      nextStep: "see why with ./creamery queue dead, then retry them",
      stopsFarm: false,
    });
  for (const { lane, state, oldestMs, count } of lanes) {
    if (state !== "queued" || (lane !== "manual" && lane !== "priority")) continue;
    if (nowMs - oldestMs < BEHIND_MS[lane]) continue;
    alarms.push({
      kind: "behind",
      subject: lane,
      text: `the oldest of ${count} ${lane} jobs has waited ${minutes(nowMs - oldestMs)}`,
      nextStep: "add a host, or more slots",
      stopsFarm: false,
    });
  }
  return alarms;
}

function minutes(ms: number): string {
  const whole = Math.floor(Math.max(0, ms) / MINUTE_MS);
  if (whole < 120) return `${whole} min`;
  return whole < 2880 ? `${Math.floor(whole / 60)} h` : `${Math.floor(whole / 1440)} days`;
}
