import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe } from "vitest";

import { startCluster, type Cluster } from "../../../test/postgresql/cluster.ts";
import { openDatabase } from "../open-database.ts";
import { dependencyContract } from "./dependency-contract.ts";

const HOOK_MS = 60_000;

describe("the graph of dependencies in SQLite", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "creamery-graph-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  dependencyContract(() => openDatabase(join(directory, "store.sqlite")));
});

describe("the graph of dependencies in PostgreSQL", () => {
  let cluster: Cluster;
  let url = "";
  beforeAll(async () => {
    cluster = await startCluster();
  }, HOOK_MS);
  afterAll(() => cluster[Symbol.asyncDispose](), HOOK_MS);
  beforeEach(async () => {
    url = await cluster.database();
  });
  dependencyContract(() => openDatabase(url));
});
