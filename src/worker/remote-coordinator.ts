import { z } from "zod";

import type { Arrival } from "../queue/hosts.ts";
import type { LeasedJob } from "../queue/job.ts";
import type { Finish, Finished } from "../queue/queue.ts";
import type { BaselineQuery, StoredAttempt } from "../store/store.ts";
import type { Beat, BeatAnswer, Coordinator, LivePiece, Welcome, Wish } from "./coordinator.ts";
import { NO_RETRIES, type FarmClient } from "./farm-client.ts";
import { BeatJson, FinishedJson, LeasedJobJson, StoredAttemptJson, WelcomeJson } from "./wire.ts";

const Claimed = z.object({ jobs: z.array(LeasedJobJson).max(64) });
const Baseline = z.object({ baseline: StoredAttemptJson.nullable() });
/** Longer than the farm lets a claim wait. */
const CLAIM_IDLE_MS = 60_000;

/** The farm elsewhere, by HTTPS (docs/workers.md). */
export class RemoteCoordinator implements Coordinator {
  readonly #farm: FarmClient;
  readonly #boot: string;

  constructor(farm: FarmClient, boot: string) {
    this.#farm = farm;
    this.#boot = boot;
  }

  async arrive(arrival: Omit<Arrival, "name">, signal: AbortSignal): Promise<Welcome> {
    return await this.#post("arrive", arrival, WelcomeJson, signal);
  }

  /** Not made again by itself: of jobs that were given and whose answer was lost, the leases end. */
  async claim(wish: Wish, signal: AbortSignal): Promise<readonly LeasedJob[]> {
    return (await this.#post("claim", wish, Claimed, signal, { idempotent: false })).jobs;
  }

  async heartbeat(beat: Beat, signal: AbortSignal): Promise<BeatAnswer> {
    return await this.#post("heartbeat", beat, BeatJson, signal);
  }

  async finish(attempt: string, finish: Finish, signal: AbortSignal): Promise<Finished> {
    const path = `attempts/${encodeURIComponent(attempt)}/finish`;
    return (await this.#post(path, { finish }, FinishedJson, signal)).kind;
  }

  async tell(attempt: string, pieces: readonly LivePiece[], signal: AbortSignal): Promise<void> {
    const path = `attempts/${encodeURIComponent(attempt)}/tell`;
    await this.#post(path, { pieces }, z.object({}), signal, { idempotent: false });
  }

  async latestComparable(query: BaselineQuery, signal: AbortSignal): Promise<StoredAttempt | null> {
    return (await this.#post("baseline", query, Baseline, signal, { persists: true })).baseline;
  }

  #post<Schema extends z.ZodType>(
    path: string,
    body: object,
    schema: Schema,
    signal: AbortSignal,
    { idempotent = true, persists = false } = {},
  ): Promise<z.infer<Schema>> {
    const text = Buffer.from(JSON.stringify({ ...body, boot: this.#boot }));
    return this.#farm.json(
      {
        method: "POST",
        path: `worker/${path}`,
        headers: { "content-type": "application/json" },
        body: () => text,
        signal,
        idleMs: CLAIM_IDLE_MS,
        idempotent,
        // The worker's loop asks again by itself, and tells of the trouble.
        ...(persists ? {} : { retries: NO_RETRIES }),
      },
      schema,
    );
  }
}
