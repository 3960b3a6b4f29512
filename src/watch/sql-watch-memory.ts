import type { Database, Within } from "../store/database.ts";
import { bulkInsert } from "../store/sql/bulk-insert.ts";
import { inParts } from "../store/sql/job-rows.ts";
import { withoutNul } from "../store/sql/without-nul.ts";
import type { WatchEvent } from "./event.ts";
import type { KeptWatch, WatchCommit, WatchMemory } from "./watch-memory.ts";

export interface SqlWatchMemoryOptions {
  /** Acts upon events within the transaction that keeps them: what it queues is there exactly when the watcher knows of it. */
  readonly onEvents: (within: Within, events: readonly WatchEvent[]) => Promise<void>;
  readonly now?: () => number;
}

/** What watchers know, in either database. */
export class SqlWatchMemory implements WatchMemory {
  readonly #database: Database;
  readonly #options: SqlWatchMemoryOptions;

  constructor(database: Database, options: SqlWatchMemoryOptions) {
    this.#database = database;
    this.#options = options;
  }

  load(watcher: string): Promise<KeptWatch> {
    return this.#database.read(async (db) => {
      const row = await db
        .selectFrom("watcher")
        .select("revision")
        .where("name", "=", watcher)
        .executeTakeFirst();
      const parts = await db
        .selectFrom("watcher_part")
        .select(["key", "text"])
        .where("watcher", "=", watcher)
        .execute();
      return {
        revision: row?.revision ?? 0,
        state: new Map(parts.map(({ key, text }) => [key, text])),
      };
    });
  }

  commit({ watcher, revision, changes, events }: WatchCommit): Promise<number | null> {
    const nowMs = (this.#options.now ?? Date.now)();
    return this.#database.write(async (within) => {
      const next = revision + 1;
      // The row is held from here on: of two who come with the same revision the second sees the first's.
      const kept =
        revision === 0
          ? await within
              .insertInto("watcher")
              .values({ name: watcher, revision: next })
              .onConflict((on) => on.column("name").doNothing())
              .returning("name")
              .execute()
          : await within
              .updateTable("watcher")
              .set({ revision: next })
              .where("name", "=", watcher)
              .where("revision", "=", revision)
              .returning("name")
              .execute();
      if (kept.length === 0) return null;
      await this.#change(within, watcher, changes);
      await bulkInsert(
        within,
        this.#database.kind,
        "watch_event",
        ["watcher", "seen_ms", "event"],
        events.map((event) => [watcher, nowMs, JSON.stringify(event)]),
      );
      await this.#options.onEvents(within, events);
      return next;
    });
  }

  async #change(
    within: Within,
    watcher: string,
    changes: ReadonlyMap<string, string | null>,
  ): Promise<void> {
    const gone = [...changes].flatMap(([key, text]) => (text === null ? [key] : []));
    await inParts(gone, async (part) => {
      await within
        .deleteFrom("watcher_part")
        .where("watcher", "=", watcher)
        .where("key", "in", part)
        .execute();
      return [];
    });
    const rows = [...changes].flatMap(([key, text]) =>
      text === null ? [] : [[watcher, key, withoutNul(text)]],
    );
    await bulkInsert(
      within,
      this.#database.kind,
      "watcher_part",
      ["watcher", "key", "text"],
      rows,
      { conflict: "on conflict (watcher, key) do update set text = excluded.text" },
    );
  }
}
