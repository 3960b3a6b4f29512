import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe } from "vitest";

import { startCluster, type Cluster } from "../../../test/postgresql/cluster.ts";
import { openDatabase } from "../../store/open-database.ts";
import { retestContract } from "./retest-contract.ts";

const HOOK_MS = 60_000;

describe("what is tested again, in SQLite", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "creamery-retests-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  retestContract(() => openDatabase(join(directory, "store.sqlite")));
});

describe("what is tested again, in PostgreSQL", () => {
  let cluster: Cluster;
  let url = "";
  beforeAll(async () => {
    cluster = await startCluster();
  }, HOOK_MS);
  afterAll(() => cluster[Symbol.asyncDispose](), HOOK_MS);
  beforeEach(async () => {
    url = await cluster.database();
  });
  retestContract(() => openDatabase(url));
});
