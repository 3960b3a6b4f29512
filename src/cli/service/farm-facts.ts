import { statfsSync } from "node:fs";

import type { Host, Hosts } from "../../queue/hosts.ts";
import { laneCounts, type LaneCount } from "../../queue/job-counts.ts";
import { releaseLatency, type ReleaseLatency } from "../../queue/release-latency.ts";
import type { Database } from "../../store/database.ts";
import type { WatchedHealth } from "./watching.ts";

export interface DiskFacts {
  /** `data`, `cache`, `bucket` */
  readonly what: string;
  readonly path: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** How the farm is, as far as it can be read: what status, metrics and alarms are made of. */
export interface FarmFacts {
  /** Ms since 1970. */
  readonly atMs: number;
  readonly lanes: readonly LaneCount[];
  readonly hosts: readonly Host[];
  readonly latency: ReleaseLatency | null;
  readonly watchers: readonly WatchedHealth[];
  readonly disks: readonly DiskFacts[];
}

export interface FarmFactsDeps {
  readonly database: Pick<Database, "read">;
  readonly hosts: Pick<Hosts, "all">;
  readonly watchers: () => readonly WatchedHealth[];
  /** By what they are for. */
  readonly directories: Readonly<Record<string, string>>;
  readonly now?: () => number;
}

const DAY_MS = 24 * 3_600_000;
const KEEP_MS = 10_000;
/** What takes long to read is kept so many times longer: the queue's rest is not held up by who looks at it. */
const KEEP_TIMES = 20;

/** Reads how the farm is, at most once in ten seconds: counting the queue reads all of it that is open. */
export class FarmFactsReader {
  readonly #deps: FarmFactsDeps;
  readonly #now: () => number;
  #reading: Promise<FarmFacts> | undefined;
  #until = Number.NEGATIVE_INFINITY;

  constructor(deps: FarmFactsDeps) {
    this.#deps = deps;
    this.#now = deps.now ?? Date.now;
  }

  /** Watchers and disks are those of now, whatever the rest is. @throws CreameryError `store`. */
  async read(): Promise<FarmFacts> {
    const { watchers, directories } = this.#deps;
    if (this.#reading === undefined || this.#now() >= this.#until) {
      this.#until = Number.POSITIVE_INFINITY;
      this.#reading = this.#readStore();
    }
    const kept = await this.#reading;
    return { ...kept, watchers: watchers(), disks: disksOf(directories) };
  }

  async #readStore(): Promise<FarmFacts> {
    const { database, hosts } = this.#deps;
    const beganMs = this.#now();
    try {
      const lanes = await database.read(laneCounts);
      const latency = await database.read((db) => releaseLatency(db, beganMs - DAY_MS));
      const all = await hosts.all();
      const tookMs = this.#now() - beganMs;
      this.#until = this.#now() + Math.max(KEEP_MS, KEEP_TIMES * tookMs);
      return { atMs: beganMs, lanes, hosts: all, latency, watchers: [], disks: [] };
    } catch (thrown) {
      this.#until = Number.NEGATIVE_INFINITY;
      throw thrown;
    }
  }
}

export function disksOf(directories: Readonly<Record<string, string>>): readonly DiskFacts[] {
  return Object.entries(directories).map(([what, path]) => {
    const { bavail, blocks, bsize } = statfsSync(path);
    return { what, path, freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  });
}
