import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { startCluster, type Cluster } from "../../../test/postgresql/cluster.ts";
import { MIGRATIONS } from "../migrations/all.ts";
import { SqlStore } from "../sql/sql-store.ts";
import { storeContract } from "../store-contract.ts";
import { openPostgresql } from "./open-postgresql.ts";

let cluster: Cluster;
let url = "";
const HOOK_MS = 60_000;
beforeAll(async () => {
  cluster = await startCluster();
}, HOOK_MS);
afterAll(() => cluster[Symbol.asyncDispose](), HOOK_MS);
beforeEach(async () => {
  url = await cluster.database();
});

describe("the store in PostgreSQL", () => {
  storeContract(async () => new SqlStore(await openPostgresql(url)));
});

test("coordinators that open a new database at once all get the whole schema", async () => {
  const opened = await Promise.all(Array.from({ length: 5 }, () => openPostgresql(url)));
  for (const database of opened) {
    expect(await new SqlStore(database).attempts({ limit: 1 })).toEqual([]);
    await database[Symbol.asyncDispose]();
  }
});

test("a database that a newer Creamery wrote is left alone", async () => {
  await using _database = await openPostgresql(url);
  const opened = openPostgresql(url, { migrations: MIGRATIONS.slice(0, 1) });
  await expect(opened).rejects.toThrow("written by a newer Creamery");
});

test("one that can't be reached is told in one line, without its password", async () => {
  const opened = openPostgresql("postgres://me:hidden@127.0.0.1:9/none");
  const fault: unknown = await opened.catch((thrown: unknown) => thrown);
  expect(fault).toMatchObject({ code: "store", input: "postgresql 127.0.0.1:9/none" });
  await expect(opened).rejects.not.toThrow("hidden");
});

test("what was written before a crash of PostgreSQL is there, and the next question is answered", async () => {
  await using database = await openPostgresql(url);
  await database.write((within) =>
    within.insertInto("project").values({ name: "kept", visibility: "public" }).execute(),
  );
  await cluster.kill();
  const names = () => database.read((db) => db.selectFrom("project").select("name").execute());
  await expect(names()).rejects.toMatchObject({ code: "store" });
  await cluster.start();
  expect(await names()).toEqual([{ name: "kept" }]);
});

test("a server that answers nothing any more is given up, and asked again once it answers", async () => {
  // Its tables are made without haste.
  await (await openPostgresql(url))[Symbol.asyncDispose]();
  await using database = await openPostgresql(url, { silentMs: 2000 });
  const names = () => database.read((db) => db.selectFrom("project").select("name").execute());
  expect(await names()).toEqual([]);
  cluster.freeze();
  await expect(names()).rejects.toMatchObject({
    code: "store",
    message: "PostgreSQL sent nothing for 2 s",
  });
  cluster.thaw();
  expect(await names()).toEqual([]);
});
