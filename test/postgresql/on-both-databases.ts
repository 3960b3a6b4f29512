import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe } from "vitest";

import type { Database } from "../../src/store/database.ts";
import { openDatabase } from "../../src/store/open-database.ts";
import { startCluster, type Cluster } from "./cluster.ts";

/**
 * Runs a suite on SQLite and on PostgreSQL.
 * @param suite is given what opens the same, at first empty, store each time it is called within one test.
 */
export function onBothDatabases(
  what: string,
  suite: (open: () => Promise<Database>) => void,
): void {
  describe(`${what}, in SQLite`, () => {
    let directory = "";
    beforeEach(() => {
      directory = mkdtempSync(join(tmpdir(), "creamery-store-"));
    });
    afterEach(() => rmSync(directory, { recursive: true, force: true }));
    suite(() => openDatabase(join(directory, "store.sqlite")));
  });

  describe(`${what}, in PostgreSQL`, () => {
    let cluster: Cluster;
    let url = "";
    beforeAll(async () => {
      cluster = await startCluster();
    });
    afterAll(() => cluster[Symbol.asyncDispose]());
    beforeEach(async () => {
      url = await cluster.database();
    });
    suite(() => openDatabase(url));
  });
}
