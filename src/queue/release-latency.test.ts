import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { newAttemptId } from "../store/attempt-id.ts";
import type { Database } from "../store/database.ts";
import { openDatabase } from "../store/open-database.ts";
import { Queue } from "./queue.ts";
import { quantile, releaseLatency } from "./release-latency.ts";

describe("the time from an upload to its verdict", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "creamery-latency-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const T = 1_000_000_000_000;

  /** Releases of projects, each uploaded, seen and judged so many seconds after T. */
  async function opened(
    releases: readonly (readonly [string, number | null, number | null])[],
    watched: readonly (readonly [string, number])[],
  ): Promise<Database> {
    const database = await openDatabase(join(directory, "store.sqlite"));
    const queue = new Queue(database, { newId: () => newAttemptId() });
    for (const [index, [project, uploaded, verdict]] of releases.entries()) {
      const word = `${project}==${index}`;
      await queue.enqueue([
        {
          id: word,
          project,
          visibility: "public",
          word,
          version: String(index),
          line: "",
          reason: "release",
          configurations: [{ name: "cpython-3.13", lane: "priority" }],
        },
      ]);
      await database.write(async (within) => {
        const { id } = await within
          .selectFrom("target")
          .select("id")
          .where("word", "=", word)
          .executeTakeFirstOrThrow();
        await within
          .insertInto("release_time")
          .values({
            target_id: id,
            uploaded_ms: uploaded === null ? null : T + uploaded * 1000,
            seen_ms: T,
            verdict_ms: verdict === null ? null : T + verdict * 1000,
          })
          .execute();
      });
    }
    await database.write((within) =>
      within
        .insertInto("watched")
        .values(watched.map(([name, since]) => ({ name, since_ms: T + since * 1000 })))
        .execute(),
    );
    return database;
  }

  test("is that of releases which were judged since, and were uploaded while they were watched", async () => {
    await using database = await opened(
      [
        ["six", 10, 20],
        ["six", 10, 14],
        ["attrs", 10, 70],
        // Not judged yet; of an unknown upload; uploaded before it was watched; judged too long ago; watched by nobody.
        ["six", 10, null],
        ["six", null, 20],
        ["late", 10, 20],
        ["six", -90, -80],
        ["nobody", 10, 20],
      ],
      [
        ["six", -100],
        ["attrs", 0],
        ["late", 15],
      ],
    );
    expect(await database.read((db) => releaseLatency(db, T))).toEqual({
      p50: 10,
      p90: 60,
      count: 3,
    });
  });

  test("counts all projects where all are watched", async () => {
    await using database = await opened([["six", 1, 6]], [["*", 0]]);
    expect(await database.read((db) => releaseLatency(db, T))).toMatchObject({ p90: 5 });
  });

  test("is told by nothing where there was nothing", async () => {
    await using database = await opened([], [["*", 0]]);
    expect(await database.read((db) => releaseLatency(db, T))).toBeNull();
  });

  test.each([
    [[7], 0.9, 7],
    [[1, 2], 0.5, 1],
    [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.9, 9],
    [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], 0.9, 10],
  ])("of %j at %f is %i", (sorted, part, expected) => {
    expect(quantile(sorted, part)).toBe(expected);
  });
});
