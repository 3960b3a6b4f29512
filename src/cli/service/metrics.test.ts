import { describe, expect, test } from "vitest";

import { sampleAttempt } from "../../model/result-json.sample.ts";
import { HostFacts } from "../../queue/hosts.ts";
import type { AttemptRecording } from "../../store/store.ts";
import type { FarmFacts } from "./farm-facts.ts";
import { FarmMetrics } from "./metrics.ts";

const NOW = 1_800_000_000_000;

const FACTS: FarmFacts = {
  atMs: NOW,
  lanes: [
    { lane: "priority", state: "queued", count: 7, oldestMs: NOW - 90_000 },
    { lane: "rest", state: "dead", count: 2, oldestMs: NOW - 1 },
  ],
  hosts: [
    {
      id: 1,
      name: "a",
      boot: "b",
      state: "active",
      reason: null,
      slots: 4,
      seenMs: NOW,
      facts: HostFacts.parse({}),
    },
    {
      id: 2,
      name: "b",
      boot: "b",
      state: "out-of-service",
      reason: "it fails",
      slots: 4,
      seenMs: NOW,
      facts: HostFacts.parse({}),
    },
  ],
  latency: { p50: 4.5, p90: 9.25, count: 31 },
  watchers: [
    {
      watcher: "simple-pages:0123",
      source: "https://index.example/simple/",
      lastSuccessAt: NOW - 1000,
      consecutiveFailures: 3,
      fault: "503",
      lagMs: 1500,
      nextPollAt: NOW,
      events: 12,
      gaps: 1,
    },
  ],
  disks: [{ what: "data", path: "/d", freeBytes: 5, totalBytes: 9 }],
};

function farm(facts: FarmFacts | null = FACTS) {
  const metrics = new FarmMetrics({
    facts: async () => facts,
    alarms: () => [
      { kind: "disk-low", subject: "data", text: "", nextStep: "", stopsFarm: true },
      { kind: "disk-low", subject: "cache", text: "", nextStep: "", stopsFarm: true },
    ],
    version: "0.1.0",
    now: () => NOW,
  });
  const lines = async () => (await metrics.text()).text.split("\n");
  return { metrics, lines };
}

const recording = (outcome: "pass" | "fail", cause: string | null): AttemptRecording => ({
  attempt: { ...sampleAttempt(), outcome, cause, seconds: { test: 2, hostile: 3, total: 4 } },
  visibility: "public",
  reason: "release",
  startedAt: "2026-11-24T10:00:00Z",
  results: [],
});

describe("the farm's metrics", () => {
  test("tell the queue, hosts, watchers, latency and disks as they are", async () => {
    const lines = await farm().lines();
    for (const line of [
      'creamery_jobs{lane="priority",state="queued"} 7',
      'creamery_jobs{lane="rest",state="dead"} 2',
      'creamery_jobs{lane="manual",state="queued"} 0',
      'creamery_jobs_oldest_seconds{lane="priority",state="queued"} 90',
      'creamery_hosts{state="out-of-service"} 1',
      "creamery_slots 4",
      'creamery_watcher_lag_seconds{watcher="simple-pages:0123"} 1.5',
      'creamery_watcher_failures{watcher="simple-pages:0123"} 3',
      'creamery_release_latency_seconds{quantile="0.9"} 9.25',
      "creamery_release_latency_releases 31",
      'creamery_disk_free_bytes{disk="data"} 5',
      'creamery_alarms{kind="disk-low"} 2',
      'creamery_alarms{kind="behind"} 0',
      "creamery_store_up 1",
      'creamery_info{version="0.1.0"} 1',
    ])
      expect(lines).toContain(line);
  });

  test("count how leases ended, by outcome and who must act, and the phases that are known", async () => {
    const { metrics, lines } = farm();
    metrics.claimed(3);
    metrics.finished({ kind: "done", recordings: [recording("pass", null)] });
    metrics.finished({ kind: "done", recordings: [recording("fail", "timeout")] });
    metrics.finished({ kind: "farm-fault", recordings: [], reason: "the machine" });
    metrics.finished({ kind: "returned" });
    metrics.finished({ kind: "impossible", reason: "no such release" });
    metrics.reaped(4, 1);
    const told = await lines();
    for (const line of [
      "creamery_claims_total 3",
      'creamery_finishes_total{kind="done",outcome="pass",cause="none"} 1',
      'creamery_finishes_total{kind="done",outcome="fail",cause="limit"} 1',
      'creamery_finishes_total{kind="farm-fault",outcome="none",cause="none"} 1',
      'creamery_finishes_total{kind="returned",outcome="none",cause="none"} 1',
      'creamery_attempt_phase_seconds_sum{phase="test"} 4',
      'creamery_attempt_phase_seconds_count{phase="total"} 2',
      "creamery_reaped_total 5",
      "creamery_dead_total 2",
    ])
      expect(told).toContain(line);
    // The name of a phase is a worker's word.
    expect(told.join("\n")).not.toContain("hostile");
  });

  test("are told also while the store is away", async () => {
    const told = await farm(null).lines();
    expect(told).toContain("creamery_store_up 0");
    expect(told.join("\n")).toContain('creamery_process_resident_bytes{process="farm"}');
  });

  test("have each a line in the documentation", async () => {
    const { metrics } = farm();
    const { readFileSync } = await import("node:fs");
    const documented = readFileSync(new URL("../../../docs/operating.md", import.meta.url), "utf8");
    const names = (await metrics.registry.getMetricsAsJSON()).map(({ name }) => name);
    expect(names.filter((name) => !documented.includes(`\`${name}\``))).toEqual([]);
  });
});
