import { z } from "zod";

import { printableLine } from "../base/bounded-text.ts";
import type { FarmStatus } from "../web/api/schemas/status.ts";
import { FARM_OPTIONS, openRunningFarm } from "./farm/running-farm.ts";
import { agoText, durationText, renderTable } from "./table.ts";

const Options = z.object({ ...FARM_OPTIONS, json: z.boolean().default(false) });

/**
 * `creamery status`: whether the farm is alive, how far behind it is, and what is wrong.
 * @returns the exit code: 1 where something is wrong. @throws CreameryError `no-farm`, and whatever the farm tells.
 */
export async function statusCommand(given: unknown, signal: AbortSignal): Promise<number> {
  const options = Options.parse(given ?? {});
  using farm = await openRunningFarm(options, signal);
  const status = await farm.status();
  process.stdout.write(
    options.json ? `${JSON.stringify({ schema: 1, ...status })}\n` : statusText(status),
  );
  return status.alarms.length === 0 ? 0 : 1;
}

/** What is wrong stands first. */
export function statusText(status: FarmStatus): string {
  const nowMs = Date.parse(status.at);
  const { alarms, latency, watchers, queue, hosts, disks } = status;
  const up = durationText((nowMs - Date.parse(status.startedAt)) / 1000);
  const head = `Creamery ${printableLine(status.version)}, up for ${up}: ${
    alarms.length === 0 ? "all is well" : `${alarms.length} wrong`
  }\n`;
  const wrong = alarms.map(
    ({ text, since, nextStep }) =>
      `! ${printableLine(text)} (since ${agoText(since, nowMs)}); ${printableLine(nextStep)}\n`,
  );
  const speed =
    latency === null
      ? "From upload to verdict: no release had its first in the last day\n"
      : `From upload to verdict: ${durationText(latency.p50)} for half, ${durationText(latency.p90)} for nine in ten, of ${latency.count} in the last day\n`;
  return [
    head + wrong.join(""),
    speed,
    section("watcher", ["source", "state", "behind", "last round", "failures"], watchers, (one) => [
      one.name,
      one.source,
      one.state,
      one.lagSeconds === null ? "" : durationText(one.lagSeconds),
      one.lastRoundAt === null ? "never" : agoText(one.lastRoundAt, nowMs),
      one.failures === 0 ? "" : `${one.failures}: ${one.lastFailure ?? "no reason"}`,
    ]),
    section("lane", ["queued", "waiting", "running", "dead", "oldest"], queue, (one) => [
      one.lane,
      String(one.queued),
      String(one.waiting),
      String(one.leased),
      String(one.dead),
      one.oldestAt === null ? "" : agoText(one.oldestAt, nowMs),
    ]),
    section("host", ["state", "running", "heard of", "why"], hosts, (one) => [
      one.name,
      one.isLost ? "lost" : one.state,
      `${one.running} of ${one.slots}`,
      agoText(one.seenAt, nowMs),
      one.reason ?? "",
    ]),
    section("disk", ["free", "of", "where"], disks, (one) => [
      one.what,
      gigabytes(one.freeBytes),
      gigabytes(one.totalBytes),
      one.path,
    ]),
  ]
    .filter((part) => part !== "")
    .join("\n");
}

function section<Item>(
  what: string,
  heads: readonly string[],
  items: readonly Item[],
  rowOf: (item: Item) => readonly string[],
): string {
  return items.length === 0 ? "" : renderTable([what, ...heads], items.map(rowOf));
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
