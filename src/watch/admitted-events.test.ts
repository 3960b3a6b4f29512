import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe } from "vitest";

import { startCluster, type Cluster } from "../../test/postgresql/cluster.ts";
import { openDatabase } from "../store/open-database.ts";
import { admissionContract } from "./admission-contract.ts";

const HOOK_MS = 60_000;

describe("what is admitted, in SQLite", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "creamery-admission-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  admissionContract(() => openDatabase(join(directory, "store.sqlite")));
});

describe("what is admitted, in PostgreSQL", () => {
  let cluster: Cluster;
  let url = "";
  beforeAll(async () => {
    cluster = await startCluster();
  }, HOOK_MS);
  afterAll(() => cluster[Symbol.asyncDispose](), HOOK_MS);
  beforeEach(async () => {
    url = await cluster.database();
  });
  admissionContract(() => openDatabase(url));
});
