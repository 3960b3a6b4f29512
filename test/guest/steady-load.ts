import { setTimeout as sleep } from "node:timers/promises";

import { Queue } from "../../src/queue/queue.ts";
import { newAttemptId } from "../../src/store/attempt-id.ts";
import type { Database } from "../../src/store/database.ts";
import { STATE } from "../../src/store/sql/job-rows.ts";

export interface LoadOptions {
  readonly database: Database;
  /** By name: what each of their results says. */
  readonly projects: Readonly<Record<string, string>>;
  readonly configurations: readonly string[];
  /** More is enqueued when fewer than so many wait or run. */
  readonly atLeast: number;
}

export interface KnownJob {
  readonly key: string;
  readonly project: string;
  readonly configuration: string;
}

const LOOK_MS = 300;

/** Jobs that are enqueued as others are done, and each of which is remembered. */
export class SteadyLoad {
  readonly jobs: KnownJob[] = [];
  /** Jobs that were dead, and queued again, as an operator does. */
  readonly retried: string[] = [];
  readonly #options: LoadOptions;
  readonly #queue: Queue;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#queue = new Queue(options.database, { newId: () => newAttemptId() });
  }

  /** Enqueues until the signal; a store that is away is waited for. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#step().catch(() => undefined);
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Enqueues as much as is wanted at once, and no more. */
  async fill(): Promise<void> {
    await this.#step();
  }

  /** Waits until all of it has come to its end. @throws Error when that takes longer, ms. */
  async drained(withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      await this.hurry().catch(() => undefined);
      const open = await this.#open().catch(() => null);
      if (open?.size === 0) return;
      if (performance.now() > deadline)
        throw new Error(`came to no end: ${[...(open ?? ["the store is away"])].join(", ")}`);
      await sleep(LOOK_MS);
    }
  }

  /** Lets no time pass until what failed is tried again, and tries what is dead again. */
  async hurry(): Promise<void> {
    const { database } = this.#options;
    await database.write((within) =>
      within
        .updateTable("queue_job")
        .set({ ready_ms: Date.now() })
        .where("state", "=", STATE.waiting)
        .execute(),
    );
    const dead = await database.read((db) =>
      db.selectFrom("queue_job").select("key").where("state", "=", STATE.dead).execute(),
    );
    for (const { key } of dead) if (await this.#queue.retry(key)) this.retried.push(key);
  }

  async #step(): Promise<void> {
    await this.hurry();
    const open = await this.#open();
    // Of two that wait for the same one would stand for both.
    const free = this.#cells().filter((cell) => !open.has(nameOf(cell)));
    for (const cell of free.slice(0, this.#options.atLeast - open.size)) await this.#enqueue(cell);
  }

  /** In another order each time. */
  #cells(): readonly Omit<KnownJob, "key">[] {
    const { projects, configurations } = this.#options;
    const all = Object.keys(projects).flatMap((project) =>
      configurations.map((configuration) => ({ project, configuration })),
    );
    const from = this.jobs.length % all.length;
    return [...all.slice(from), ...all.slice(0, from)];
  }

  async #enqueue({ project, configuration }: Omit<KnownJob, "key">): Promise<void> {
    const id = newAttemptId();
    const request = {
      id,
      project,
      visibility: "public",
      word: `${project}==1.0`,
      version: "1.0",
      line: "",
      reason: "release",
      configurations: [{ name: configuration, lane: "priority" }],
    } as const;
    // Said again until it was heard: the same id is the same request.
    for (;;) {
      const [enqueued] = await this.#queue.enqueue([request]).catch(() => []);
      if (enqueued !== undefined) {
        for (const { key } of enqueued.jobs) this.jobs.push({ key, project, configuration });
        return;
      }
      await sleep(LOOK_MS);
    }
  }

  async #open(): Promise<ReadonlySet<string>> {
    const rows = await this.#options.database.read((db) =>
      db
        .selectFrom("queue_job")
        .innerJoin("target", "target.id", "queue_job.target_id")
        .innerJoin("project", "project.id", "target.project_id")
        .innerJoin("configuration", "configuration.id", "queue_job.configuration_id")
        .select(["project.name as project", "configuration.name as configuration"])
        .where("state", "in", [STATE.queued, STATE.waiting, STATE.leased, STATE.dead])
        .execute(),
    );
    return new Set(rows.map(nameOf));
  }
}

function nameOf({ project, configuration }: Omit<KnownJob, "key">): string {
  return `${project} ${configuration}`;
}
