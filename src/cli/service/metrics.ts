import { readFileSync } from "node:fs";
import { performance, type EventLoopUtilization } from "node:perf_hooks";

import { Counter, Gauge, Histogram, Registry, type CounterConfiguration } from "prom-client";

import { HOST_STATES } from "../../queue/hosts.ts";
import { JOB_STATES, LANES } from "../../queue/job.ts";
import type { Finish } from "../../queue/queue.ts";
import { causeGroup, parseCause } from "../../model/result-words.ts";
import type { Delivery, TargetKind } from "../../notify/notice-target.ts";
import type { WaitingNotices } from "../../store/sql/notice-rows.ts";
import type { Alarm } from "./alarms.ts";
import { ALARM_KINDS } from "./alarms.ts";
import type { FarmFacts } from "./farm-facts.ts";

export interface MetricsDeps {
  /** Null where the store does not answer. */
  readonly facts: () => Promise<FarmFacts | null>;
  readonly alarms: () => readonly Alarm[];
  readonly version: string;
  readonly now?: () => number;
}

const PHASE_SECONDS = [0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1200, 3600];
const REQUEST_SECONDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30];
const STORE_SECONDS = [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
/** The names of phases come from workers: what is not one of these is none. */
const PHASES = [
  "start",
  "venv",
  "install",
  "build",
  "examine",
  "dependencies",
  "test",
  "retest",
  "confirm",
  "confirm-test",
  "evidence",
  "farm",
  "total",
] as const;

/**
 * What the farm tells Prometheus (docs/operating.md lists each). What is counted is counted as it happens, by this process; what
 * is measured is read from the store when somebody asks, at most once in ten seconds.
 */
export class FarmMetrics {
  readonly registry = new Registry();
  readonly #deps: MetricsDeps;
  readonly #now: () => number;
  readonly #claims = this.#counter("claims_total", "Jobs given to hosts");
  readonly #finishes = this.#counter(
    "finishes_total",
    "Leases that ended: how, with what outcome, and who must act",
    ["kind", "outcome", "cause"],
  );
  readonly #phases = this.#histogram(
    "attempt_phase_seconds",
    "Time of attempts by phase",
    PHASE_SECONDS,
    ["phase"],
  );
  readonly #reaped = this.#counter(
    "reaped_total",
    "Leases that ended without a word of their host",
  );
  readonly #dead = this.#counter("dead_total", "Jobs that came to their end without a result");
  readonly #hostsOut = this.#counter(
    "hosts_taken_out_total",
    "Hosts that went out of service by themselves",
  );
  readonly #hooks = this.#counter("webhooks_total", "Webhook deliveries", ["forge", "outcome"]);
  readonly #requests = this.#histogram(
    "http_request_seconds",
    "Requests by what they are for and how they were answered, until the answer began",
    REQUEST_SECONDS,
    ["route", "status"],
  );
  readonly #writes = this.#histogram(
    "store_write_seconds",
    "Transactions of the store, from asked to on the disk",
    STORE_SECONDS,
  );
  readonly #writeFaults = this.#counter("store_write_faults_total", "Transactions that failed");
  readonly #pings = this.#counter("pings_total", "Of the dead-man's switch", ["result"]);
  readonly #notices = this.#counter("notices_total", "Tries to tell of changes and commits", [
    "target",
    "result",
  ]);
  readonly #noticesWaiting = this.#gauge("notices_waiting", "Notices that are not delivered yet");
  readonly #noticesOldest = this.#gauge("notices_oldest_seconds", "Age of the oldest of them");
  readonly #jobs = this.#gauge("jobs", "Jobs that are open, or dead", ["lane", "state"]);
  readonly #oldest = this.#gauge("jobs_oldest_seconds", "Age of the oldest of them", [
    "lane",
    "state",
  ]);
  readonly #hosts = this.#gauge("hosts", "Hosts by state", ["state"]);
  readonly #slots = this.#gauge("slots", "Jobs that active hosts run side by side");
  readonly #lag = this.#gauge("watcher_lag_seconds", "How far behind what is due", ["watcher"]);
  readonly #failures = this.#gauge("watcher_failures", "Failures in a row", ["watcher"]);
  readonly #lastSuccess = this.#gauge(
    "watcher_last_success_timestamp_seconds",
    "When its last poll succeeded",
    ["watcher"],
  );
  readonly #events = this.#gauge("watcher_events", "Seen since this process began", ["watcher"]);
  readonly #gaps = this.#gauge("watcher_gaps", "Times that events were missed for good", [
    "watcher",
  ]);
  readonly #latency = this.#gauge(
    "release_latency_seconds",
    "From upload to first verdict, of the last day's releases, at most the newest 100",
    ["quantile"],
  );
  readonly #latencyCount = this.#gauge(
    "release_latency_releases",
    "So many releases that is measured on",
  );
  readonly #diskFree = this.#gauge("disk_free_bytes", "By what the disk is for", ["disk"]);
  readonly #diskTotal = this.#gauge("disk_total_bytes", "By what the disk is for", ["disk"]);
  readonly #alarms = this.#gauge("alarms", "What an operator should know of", ["kind"]);
  readonly #storeUp = this.#gauge("store_up", "1 while the store answers");
  readonly #memory = this.#gauge("process_resident_bytes", "Of the farm's processes", ["process"]);
  readonly #cpu = this.#gauge("process_cpu_seconds", "Of this process, since it began");
  readonly #busy = this.#gauge(
    "event_loop_busy_ratio",
    "Part of the time since it was asked last in which the event loop did something",
  );
  readonly #delay = this.#gauge("event_loop_delay_seconds", "How late a turn is, now");
  readonly #started = this.#gauge("started_timestamp_seconds", "When this process began");
  readonly #info = this.#gauge("info", "1", ["version"]);
  #loop: EventLoopUtilization = performance.eventLoopUtilization();

  constructor(deps: MetricsDeps) {
    this.#deps = deps;
    this.#now = deps.now ?? Date.now;
    this.#started.set(this.#now() / 1000);
    this.#info.set({ version: deps.version }, 1);
  }

  claimed(jobs: number): void {
    this.#claims.inc(jobs);
  }

  finished(finish: Finish): void {
    const recordings = "recordings" in finish ? finish.recordings : [];
    const attempt = recordings[0]?.attempt;
    const cause = attempt?.cause === null ? null : parseCause(attempt?.cause ?? "");
    this.#finishes.inc({
      kind: finish.kind,
      outcome: attempt?.outcome ?? "none",
      cause: cause === null ? "none" : causeGroup(cause.kind),
    });
    for (const phase of PHASES) {
      const seconds = attempt?.seconds[phase];
      if (seconds !== undefined) this.#phases.observe({ phase }, seconds);
    }
    if (finish.kind === "impossible") this.#dead.inc();
  }

  reaped(requeued: number, dead: number): void {
    this.#reaped.inc(requeued + dead);
    this.#dead.inc(dead);
  }

  hostOut(): void {
    this.#hostsOut.inc();
  }

  hook(forge: string, outcome: string): void {
    this.#hooks.inc({ forge, outcome });
  }

  answered(route: string, status: number, seconds: number): void {
    this.#requests.observe({ route, status: `${Math.floor(status / 100)}xx` }, seconds);
  }

  wrote(seconds: number, isKept: boolean): void {
    this.#writes.observe(seconds);
    if (!isKept) this.#writeFaults.inc();
  }

  pinged(isAnswered: boolean): void {
    this.#pings.inc({ result: isAnswered ? "answered" : "failed" });
  }

  noticeTried(target: TargetKind, result: Delivery["kind"]): void {
    this.#notices.inc({ target, result });
  }

  /** Known to the one of several coordinators that sends them. */
  noticesWaiting({ count, oldestMs }: WaitingNotices): void {
    this.#noticesWaiting.set(count);
    this.#noticesOldest.set(oldestMs === null ? 0 : (this.#now() - oldestMs) / 1000);
  }

  /** All of it, in Prometheus' text format; also while the store does not answer. */
  async text(): Promise<{ readonly text: string; readonly type: string }> {
    const facts = await this.#deps.facts();
    this.#storeUp.set(facts === null ? 0 : 1);
    if (facts !== null) this.#measure(facts);
    this.#alarms.reset();
    for (const kind of ALARM_KINDS) this.#alarms.set({ kind }, 0);
    for (const { kind } of this.#deps.alarms()) this.#alarms.inc({ kind });
    await this.#measureProcess();
    return { text: await this.registry.metrics(), type: this.registry.contentType };
  }

  #measure({ lanes, hosts, latency, watchers, disks }: FarmFacts): void {
    const nowMs = this.#now();
    for (const lane of LANES)
      for (const state of JOB_STATES.slice(0, 3)) {
        const found = lanes.find((one) => one.lane === lane && one.state === state);
        this.#jobs.set({ lane, state }, found?.count ?? 0);
        this.#oldest.set(
          { lane, state },
          found === undefined ? 0 : (nowMs - found.oldestMs) / 1000,
        );
      }
    for (const lane of LANES) {
      const dead = lanes.find((one) => one.lane === lane && one.state === "dead");
      this.#jobs.set({ lane, state: "dead" }, dead?.count ?? 0);
    }
    for (const state of HOST_STATES)
      this.#hosts.set({ state }, hosts.filter((host) => host.state === state).length);
    const active = hosts.filter(({ state }) => state === "active");
    this.#slots.set(active.reduce((sum, { slots }) => sum + slots, 0));
    for (const gauge of [this.#lag, this.#failures, this.#lastSuccess, this.#events, this.#gaps])
      gauge.reset();
    for (const one of watchers) {
      const { watcher } = one;
      if (one.lagMs !== null) this.#lag.set({ watcher }, one.lagMs / 1000);
      this.#failures.set({ watcher }, one.consecutiveFailures);
      if (one.lastSuccessAt !== null) this.#lastSuccess.set({ watcher }, one.lastSuccessAt / 1000);
      this.#events.set({ watcher }, one.events);
      this.#gaps.set({ watcher }, one.gaps);
    }
    this.#latency.reset();
    if (latency !== null) {
      this.#latency.set({ quantile: "0.5" }, latency.p50);
      this.#latency.set({ quantile: "0.9" }, latency.p90);
    }
    this.#latencyCount.set(latency?.count ?? 0);
    for (const { what: disk, freeBytes, totalBytes } of disks) {
      this.#diskFree.set({ disk }, freeBytes);
      this.#diskTotal.set({ disk }, totalBytes);
    }
  }

  async #measureProcess(): Promise<void> {
    this.#memory.set({ process: "farm" }, process.memoryUsage.rss());
    const launcher = residentBytesOf(process.ppid);
    if (launcher !== null) this.#memory.set({ process: "launcher" }, launcher);
    const { user, system } = process.cpuUsage();
    this.#cpu.set((user + system) / 1e6);
    const loop = performance.eventLoopUtilization();
    this.#busy.set(performance.eventLoopUtilization(loop, this.#loop).utilization);
    this.#loop = loop;
    const before = performance.now();
    await new Promise((resolve) => setImmediate(resolve));
    this.#delay.set((performance.now() - before) / 1000);
  }

  #counter<Name extends string = never>(
    name: string,
    help: string,
    labelNames: readonly Name[] = [],
  ): Counter<Name> {
    const told: CounterConfiguration<Name> = {
      ...named(name, help, this.registry),
      labelNames: [...labelNames],
    };
    return new Counter(told);
  }

  #gauge<Name extends string = never>(
    name: string,
    help: string,
    labelNames: readonly Name[] = [],
  ): Gauge<Name> {
    return new Gauge({ ...named(name, help, this.registry), labelNames: [...labelNames] });
  }

  #histogram<Name extends string = never>(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames: readonly Name[] = [],
  ): Histogram<Name> {
    return new Histogram({
      ...named(name, help, this.registry),
      labelNames: [...labelNames],
      buckets: [...buckets],
    });
  }
}

function named(
  name: string,
  help: string,
  registry: Registry,
): { name: string; help: string; registers: Registry[] } {
  return { name: `creamery_${name}`, help, registers: [registry] };
}

/** VmRSS of proc(5), which everybody may read; null where hidepid hides it. */
function residentBytesOf(pid: number): number | null {
  try {
    const line = /^VmRSS:\s+(\d+) kB$/mu.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return line === null ? null : Number(line[1]) * 1024;
  } catch {
    return null;
  }
}
