import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { startCluster, type Cluster } from "../../test/postgresql/cluster.ts";
import { openDatabase } from "../store/open-database.ts";
import { WatchEvent } from "./event.ts";
import { SqlWatchMemory } from "./sql-watch-memory.ts";
import { watchMemoryContract } from "./watch-memory-contract.ts";

let cluster: Cluster;
let directory = "";
let location = "";
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-watch-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe.each(["SQLite", "PostgreSQL"])("what watchers know, in %s", (name) => {
  beforeEach(async () => {
    location = name === "SQLite" ? join(directory, "store.sqlite") : await cluster.database();
  });

  watchMemoryContract(async () => {
    const database = await openDatabase(location);
    return {
      memory: new SqlWatchMemory(database, { onEvents: async () => undefined }),
      events: async () => {
        const rows = await database.read((db) =>
          db.selectFrom("watch_event").select("event").orderBy("id").execute(),
        );
        return rows.map(({ event }) => WatchEvent.parse(JSON.parse(event)));
      },
      [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
    };
  });

  test("what can't be acted upon is not known either: it comes again", async () => {
    await using database = await openDatabase(location);
    const event: WatchEvent = { kind: "released", project: "a", version: "1", uploadedAt: null };
    const commit = { watcher: "w", revision: 0, changes: new Map([["k", "1"]]), events: [event] };
    const failing = new SqlWatchMemory(database, {
      onEvents: () => Promise.reject(new Error("no room")),
    });
    await expect(failing.commit(commit)).rejects.toThrow("no room");
    const seen: WatchEvent[] = [];
    const memory = new SqlWatchMemory(database, {
      onEvents: async (_, events) => void seen.push(...events),
    });
    expect(await memory.load("w")).toEqual({ revision: 0, state: new Map() });
    expect(await memory.commit(commit)).toBe(1);
    expect(seen).toEqual([event]);
  });
});
