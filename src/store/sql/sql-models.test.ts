import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe } from "vitest";

import { startCluster, type Cluster } from "../../../test/postgresql/cluster.ts";
import { auditContract } from "../../model/audit-contract.ts";
import { deliveriesContract } from "../../model/deliveries-contract.ts";
import { principalsContract } from "../../model/principals-contract.ts";
import { sessionsContract } from "../../model/sessions-contract.ts";
import type { Database } from "../database.ts";
import { openDatabase } from "../open-database.ts";
import { SqlAudit } from "./sql-audit.ts";
import { SqlDeliveries } from "./sql-deliveries.ts";
import { SqlPrincipals } from "./sql-principals.ts";
import { SqlSessions } from "./sql-sessions.ts";

let cluster: Cluster;
let directory = "";
let database: Database | undefined;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-models-"));
});
afterEach(async () => {
  await database?.[Symbol.asyncDispose]();
  database = undefined;
  rmSync(directory, { recursive: true, force: true });
});

describe.each(["SQLite", "PostgreSQL"])("in %s", (name) => {
  const opened = async (): Promise<Database> => {
    await database?.[Symbol.asyncDispose]();
    database = await openDatabase(
      name === "SQLite" ? join(directory, "store.sqlite") : await cluster.database(),
    );
    return database;
  };
  describe("principals", () => {
    principalsContract(async () => new SqlPrincipals(await opened()));
  });
  describe("sessions", () => {
    sessionsContract(async () => new SqlSessions(await opened()));
  });
  describe("audit", () => {
    auditContract(async () => new SqlAudit(await opened()));
  });
  describe("deliveries", () => {
    deliveriesContract(async () => new SqlDeliveries(await opened()));
  });
});
