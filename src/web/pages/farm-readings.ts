import type { Within } from "../../model/authorise.ts";
import { releaseLatency, type ReleaseLatency } from "../../queue/release-latency.ts";
import type { Database } from "../../store/database.ts";
import { countQueue } from "../api/count-queue.ts";
import type { QueueState } from "../api/schemas/queue.ts";
import { KeptReading } from "../kept-reading.ts";
import { noteKept, type PagesContext, type PagesDeps } from "./page-deps.ts";

const DAY_MS = 86_400_000;
const MOST_MEASURED = 100;

/** What several pages show and is dear to read: read once for all of them. */
export class FarmReadings {
  readonly #database: Database;
  readonly #counts: KeptReading<QueueState>;
  readonly #latencies: KeptReading<ReleaseLatency | null>;

  constructor({ database, elapsedMs }: Pick<PagesDeps, "database" | "elapsedMs">) {
    this.#database = database;
    this.#counts = new KeptReading(0, elapsedMs);
    this.#latencies = new KeptReading(0, elapsedMs);
  }

  /** How much is queued, of what somebody gets to see. */
  queue(context: PagesContext, within: Within): Promise<QueueState> {
    const { nowMs } = context.get("page");
    const count = () => countQueue(this.#database, within, nowMs);
    return this.#counts.of(JSON.stringify(within), count, noteKept(context));
  }

  /** From upload to verdict, of the newest releases of the last day. */
  latency(context: PagesContext): Promise<ReleaseLatency | null> {
    const { nowMs, within } = context.get("page");
    return this.#latencies.of(
      JSON.stringify(within),
      () => this.#database.read((db) => releaseLatency(db, nowMs - DAY_MS, MOST_MEASURED, within)),
      noteKept(context),
    );
  }
}
