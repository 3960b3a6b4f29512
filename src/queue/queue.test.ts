import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe } from "vitest";

import { startCluster, type Cluster } from "../../test/postgresql/cluster.ts";
import { openDatabase } from "../store/open-database.ts";
import { hostRecordContract } from "./host-record-contract.ts";
import { queueContract } from "./queue-contract.ts";

describe("the queue in SQLite", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "creamery-queue-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  queueContract(() => openDatabase(join(directory, "store.sqlite")));
  hostRecordContract(() => openDatabase(join(directory, "store.sqlite")));
});

describe("the queue in PostgreSQL", () => {
  let cluster: Cluster;
  let url = "";
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster[Symbol.asyncDispose]());
  beforeEach(async () => {
    url = await cluster.database();
  });
  queueContract(() => openDatabase(url));
  hostRecordContract(() => openDatabase(url));
});
