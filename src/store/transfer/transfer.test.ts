import { createHash } from "node:crypto";
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";

import fc from "fast-check";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { startCluster, type Cluster } from "../../../test/postgresql/cluster.ts";
import { CreameryError } from "../../base/errors.ts";
import { MIGRATIONS } from "../migrations/all.ts";
import { openDatabase } from "../open-database.ts";
import { openPostgresql } from "../postgresql/open-postgresql.ts";
import { anyContent, fillAll, type AnyContent } from "./any-content.sample.ts";
import { ArchiveHeader, TableLine, TrailerLine } from "./archive-form.ts";
import { exportStore } from "./export-store.ts";
import { importStore } from "./import-store.ts";
import { RowSum } from "./row-sum.ts";
import { openSnapshot } from "./transfer-database.ts";

const { signal } = new AbortController();
const NEWEST = MIGRATIONS.length;
const PLAIN: AnyContent = {
  rows: 3,
  texts: ["a", "ü 🐍", ""],
  bytes: [Uint8Array.of(0, 255, 10)],
  bigs: [2 ** 53 - 1, 0, -1],
};

let directory = "";
let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ settings: { fsync: "off" } });
});
afterAll(() => cluster[Symbol.asyncDispose]());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-transfer-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const file = (name: string) => join(directory, name);

async function exported(location: string, name: string): Promise<string> {
  await exportStore(location, createWriteStream(file(name)), { signal });
  return file(name);
}

function imported(location: string, archive: string) {
  return importStore(location, createReadStream(archive), { signal, archive });
}

/** How many rows its tables have, each number once. */
async function countsOf(location: string): Promise<readonly number[]> {
  await using snapshot = await openSnapshot(location);
  const counts = new Set<number>();
  for (const { name } of snapshot.tables) counts.add(await snapshot.count(name));
  return [...counts];
}

/** The archive's lines: the same for the same content. */
function linesOf(archive: string): string {
  return zstdDecompressSync(readFileSync(archive)).toString();
}

const KINDS = {
  SQLite: async () => file(`store-${Math.random()}.sqlite`),
  PostgreSQL: () => cluster.database(),
};

test("whatever lies in a store is the same after it was in PostgreSQL and in SQLite again", async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(anyContent, async (content) => {
      const [first, last] = [file(`${++run}-first`), file(`${run}-last`)];
      const url = await cluster.database();
      await fillAll(first, NEWEST, content);
      const one = await exported(first, `${run}-1`);
      await imported(url, one);
      const two = await exported(url, `${run}-2`);
      await imported(last, two);
      const three = await exported(last, `${run}-3`);
      expect(linesOf(two)).toBe(linesOf(one));
      expect(linesOf(three)).toBe(linesOf(one));
    }),
    { numRuns: 12, endOnFailure: true },
  );
});

test("no table and no column of the schema is forgotten, in either database", async () => {
  await fillAll(file("full"), NEWEST, PLAIN);
  const url = await cluster.database();
  await imported(url, await exported(file("full"), "archive"));
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ table: string; column: string }>(
    "select table_name as table, column_name as column from information_schema.columns where table_schema = 'public'",
  );
  await client.end();
  const names = rows
    .filter(({ table }) => table !== "schema_version")
    .map(({ table, column }) => `${table}.${column}`);
  for (const archive of ["archive", await exported(url, "again")]) {
    const [header = ""] = linesOf(archive === "archive" ? file(archive) : archive).split("\n");
    const { tables } = ArchiveHeader.parse(JSON.parse(header));
    const told = tables.flatMap(({ name, columns }) =>
      columns.map((column) => `${name}.${column}`),
    );
    expect(told.toSorted()).toEqual(names.toSorted());
    expect(tables.every((table) => table.rows === PLAIN.rows)).toBe(true);
  }
});

test("a table that this Creamery knows nothing of is exported all the same", async () => {
  await fillAll(file("more"), NEWEST, PLAIN);
  using database = new DatabaseSync(file("more"));
  database.exec(
    "create table later (id integer primary key, what text); insert into later values (7, 'kept')",
  );
  const archive = await exported(file("more"), "archive");
  expect(linesOf(archive)).toContain('{"table":"later"}\n[7,"kept"]\n');
  const target = file("target");
  await expect(imported(target, archive)).rejects.toMatchObject({
    code: "bad-archive",
    input: "table later",
  });
});

describe.each(Object.entries(KINDS))("into %s", (kind, place) => {
  test("rows that come next are numbered after the last one that there ever was", async () => {
    await fillAll(file("from"), NEWEST, PLAIN);
    {
      using database = new DatabaseSync(file("from"));
      database.exec("delete from watch_event where id > 1");
    }
    const target = await place();
    await imported(target, await exported(file("from"), "archive"));
    await using store = await openDatabase(target);
    const event = { watcher: "w", seen_ms: 1, event: "{}" };
    const { id } = await store.write((within) =>
      within.insertInto("watch_event").values(event).returning("id").executeTakeFirstOrThrow(),
    );
    expect(id).toBe(PLAIN.rows + 1);
    const project = { name: "new", visibility: "public" };
    const { id: other } = await store.write((within) =>
      within.insertInto("project").values(project).returning("id").executeTakeFirstOrThrow(),
    );
    expect(other).toBe(PLAIN.rows + 1);
  });

  test("nothing is imported into a store that has something in it, and nothing of it is lost", async () => {
    await fillAll(file("from"), NEWEST, PLAIN);
    const archive = await exported(file("from"), "archive");
    const target = await place();
    {
      await using store = await openDatabase(target);
      await store.write((within) =>
        within.insertInto("farm_setting").values({ name: "mine", value: "1" }).execute(),
      );
    }
    const before = linesOf(await exported(target, "before"));
    await expect(imported(target, archive)).rejects.toMatchObject({
      code: "usage",
      message: "is not empty: there are rows in farm_setting",
    });
    expect(linesOf(await exported(target, "after"))).toBe(before);
  });

  test("a damaged or cut archive is refused wherever it is damaged, and nothing of it is there", async () => {
    await fillAll(file("from"), NEWEST, PLAIN);
    const whole = readFileSync(await exported(file("from"), "archive"));
    const text = zstdDecompressSync(whole).toString();
    const lines = text.trimEnd().split("\n");
    const [header = "", ...rest] = lines;
    const wrongs: Record<string, Buffer> = {
      empty: Buffer.alloc(0),
      "no archive": Buffer.from("not one"),
      "cut in the middle": whole.subarray(0, whole.length / 2),
      // After the trailer comes an empty frame, which nobody misses.
      "cut before its end": whole.subarray(0, -20),
      "one bit": Buffer.from(whole.map((byte, index) => (index === 200 ? byte ^ 4 : byte))),
      "without its trailer": zstdCompressSync(`${lines.slice(0, -1).join("\n")}\n`),
      "without a row": zstdCompressSync(`${lines.toSpliced(2, 1).join("\n")}\n`),
      "a row changed": zstdCompressSync(
        `${lines.with(2, (lines[2] ?? "").replace("#", "!")).join("\n")}\n`,
      ),
      "more after its end": zstdCompressSync(`${text}[1]\n`),
      "a column more": zstdCompressSync(`${lines.with(2, '[1,"a","b","c"]').join("\n")}\n`),
      "tables in another order": zstdCompressSync(
        [header, ...rest.slice(4, 8), ...rest.slice(0, 4), ...rest.slice(8)].join("\n"),
      ),
    };
    const target = await place();
    for (const [what, bytes] of Object.entries(wrongs)) {
      const source = Readable.from([bytes]);
      const outcome = importStore(target, source, { signal, archive: "mine" });
      const told = outcome.then(
        () => "imported",
        (thrown: unknown) => thrown instanceof CreameryError && thrown.code,
      );
      expect([what, await told]).toEqual([what, "bad-archive"]);
    }
    // It is an empty place still, that takes the whole one.
    await expect(openSnapshot(target)).rejects.toMatchObject({ message: "there is no store" });
    const done = await importStore(target, Readable.from([whole]), { signal, archive: "mine" });
    expect(done).toMatchObject({ rows: lines.length - 2 - done.tables, altered: 0 });
  });

  test("what a database would keep otherwise than it is in the archive is refused", async () => {
    await fillAll(file("from"), NEWEST, { ...PLAIN, texts: ["half"] });
    const lines = linesOf(await exported(file("from"), "archive"))
      .trimEnd()
      .split("\n");
    const changed = lines.slice(0, -1).map((line) => line.replaceAll("half", "half\\ud800"));
    const { end } = TrailerLine.parse(JSON.parse(lines.at(-1) ?? ""));
    const sums: Record<string, string> = {};
    let sum = new RowSum();
    for (const line of changed.slice(1)) {
      if (line.startsWith("[")) sum.add(line);
      else {
        sum = new RowSum();
        sums[TableLine.parse(JSON.parse(line)).table] = "";
      }
      sums[Object.keys(sums).at(-1) ?? ""] = sum.sum;
    }
    const text = changed.map((line) => `${line}\n`).join("");
    const sha256 = createHash("sha256").update(text).digest("hex");
    const last = JSON.stringify({ end: { ...end, sums, sha256 } });
    const source = Readable.from([zstdCompressSync(`${text}${last}\n`)]);
    await expect(
      importStore(await place(), source, { signal, archive: "mine" }),
    ).rejects.toMatchObject({ message: "is not in the store as it is in the archive" });
  });

  test("an archive of a newer Creamery is refused", async () => {
    const header = { format: "creamery-store", version: 1, schema: NEWEST + 1, tables: [] };
    for (const [change, reason] of [
      [{}, `schema ${NEWEST + 1} was written by a newer Creamery`],
      [{ version: 2, unknown: true }, "was written by a newer Creamery"],
    ] as const) {
      const source = Readable.from([
        zstdCompressSync(`${JSON.stringify({ ...header, ...change })}\n`),
      ]);
      await expect(
        importStore(await place(), source, { signal, archive: "mine" }),
      ).rejects.toMatchObject({ code: "bad-archive", message: reason });
    }
  });

  test.each(MIGRATIONS.slice(2, -1).map(({ number }) => number))(
    "an archive of schema %i is brought up to today's, into a store that was opened before",
    async (schema) => {
      await fillAll(file("old"), schema, PLAIN);
      const archive = await exported(file("old"), "archive");
      const target = await place();
      await (await openDatabase(target))[Symbol.asyncDispose]();
      expect(await imported(target, archive)).toMatchObject({ schema });
      const now = linesOf(await exported(target, "now")).split("\n");
      expect(JSON.parse(now[0] ?? "")).toMatchObject({ schema: NEWEST });
      // Every row is there still; a later schema may have added columns to it, which are empty.
      const kept = now.map((line) => line.replace(/(?:,null)*\]$/u, ""));
      const rows = linesOf(archive)
        .split("\n")
        .filter((line) => line.startsWith("["));
      expect(rows.filter((row) => !kept.includes(row.replace(/(?:,null)*\]$/u, "")))).toEqual([]);
      expect(rows.length).toBeGreaterThan(30);
    },
  );

  test("an import that is given up leaves nothing", async () => {
    await fillAll(file("from"), NEWEST, PLAIN);
    const bytes = readFileSync(await exported(file("from"), "archive"));
    const stop = new AbortController();
    const given = new Error("given up");
    const source = Readable.from(
      (async function* () {
        yield bytes.subarray(0, bytes.length - 10);
        stop.abort(given);
        yield bytes.subarray(bytes.length - 10);
      })(),
    );
    const target = await place();
    await expect(
      importStore(target, source, { signal: stop.signal, archive: "mine" }),
    ).rejects.toBe(given);
    await expect(openSnapshot(target)).rejects.toMatchObject({ message: "there is no store" });
  });

  test("nobody sees half of an import, and what is written meanwhile waits", async () => {
    await fillAll(file("from"), NEWEST, PLAIN);
    const bytes = readFileSync(await exported(file("from"), "archive"));
    const target = await place();
    await (await openDatabase(target))[Symbol.asyncDispose]();
    const halfway = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const source = Readable.from(
      (async function* () {
        yield bytes.subarray(0, bytes.length - 10);
        halfway.resolve();
        await goOn.promise;
        yield bytes.subarray(bytes.length - 10);
      })(),
    );
    const done = importStore(target, source, { signal, archive: "mine" });
    await halfway.promise;
    // In PostgreSQL whoever looks waits until all is there.
    const seen = countsOf(target);
    if (kind === "SQLite") await seen;
    goOn.resolve();
    await done;
    expect([[0], [PLAIN.rows]]).toContainEqual(await seen);
    expect(await countsOf(target)).toEqual([PLAIN.rows]);
  });
});

describe.each(Object.entries(KINDS))("out of %s", (_, place) => {
  test("an export is of one instant, whatever is written meanwhile", async () => {
    await fillAll(file("from"), NEWEST, PLAIN);
    const target = await place();
    await imported(target, await exported(file("from"), "archive"));
    await using snapshot = await openSnapshot(target);
    const tables = snapshot.tables;
    const before = await snapshot.count("audit");
    await using store = await openDatabase(target);
    await store.write((within) => within.deleteFrom("audit").execute());
    expect(await snapshot.count("audit")).toBe(before);
    const audit = tables.find(({ name }) => name === "audit");
    if (audit === undefined) throw new Error("no such table");
    const rows = [];
    for await (const page of snapshot.pages(audit)) rows.push(...page);
    expect(rows).toHaveLength(PLAIN.rows);
  });

  test("a place where no store is is told", async () => {
    const target = await place();
    await expect(exported(target, "archive")).rejects.toMatchObject({
      code: "store",
      message: "there is no store",
    });
  });
});

test("a store that an older Creamery left is exported as it is", async () => {
  await fillAll(file("old"), 2, PLAIN);
  const archive = await exported(file("old"), "archive");
  expect(JSON.parse(linesOf(archive).split("\n")[0] ?? "")).toMatchObject({ schema: 2 });
  using database = new DatabaseSync(file("old"));
  expect(database.prepare("pragma user_version").get()).toEqual({ user_version: 2 });
});

test("a NUL stays in SQLite, and is made visible in PostgreSQL, which is told", async () => {
  await fillAll(file("from"), NEWEST, { ...PLAIN, texts: ["\0"] });
  const archive = await exported(file("from"), "archive");
  expect(await imported(file("to"), archive)).toMatchObject({ altered: 0 });
  expect(linesOf(await exported(file("to"), "again"))).toBe(linesOf(archive));
  const url = await cluster.database();
  expect((await imported(url, archive)).altered).toBeGreaterThan(20);
  expect(linesOf(await exported(url, "visible"))).not.toContain("\\u0000");
});

test("a database that holds what is not the farm's is left alone", async () => {
  await fillAll(file("from"), NEWEST, PLAIN);
  const archive = await exported(file("from"), "archive");
  const url = await cluster.database();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("create table somebodys (id integer)");
  await client.end();
  await expect(imported(url, archive)).rejects.toMatchObject({
    code: "usage",
    message: "has a table that is not the farm's: somebodys",
  });
  writeFileSync(file("text"), "not a database, but long enough to be taken for one\n".repeat(100));
  await expect(imported(file("text"), archive)).rejects.toMatchObject({ code: "store" });
});

test("a new SQLite file is the farm's alone to read", async () => {
  await fillAll(file("from"), NEWEST, PLAIN);
  await imported(file("to"), await exported(file("from"), "archive"));
  expect(statSync(file("to")).mode & 0o777).toBe(0o600);
  expect(existsSync(file("to-journal"))).toBe(false);
});

test("in PostgreSQL the schema stays under its lock, and today's code goes on with it", async () => {
  await fillAll(file("from"), 4, PLAIN);
  const url = await cluster.database();
  const archive = await exported(file("from"), "archive");
  const outcomes = await Promise.allSettled([imported(url, archive), imported(url, archive)]);
  expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  await (await openPostgresql(url))[Symbol.asyncDispose]();
});
