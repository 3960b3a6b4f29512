import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { startCluster, type Cluster } from "../postgresql/cluster.ts";
import { SEED } from "../seed.ts";
import { FAILING, PASSING, unittestOf } from "./pack-projects.ts";
import { RandomKills } from "./random-kills.ts";
import { ServiceFarm } from "./service-farm.ts";
import { SteadyLoad } from "./steady-load.ts";
import { wrongInFarm } from "./wrong-in-farm.ts";

/** What is lost, done twice or left behind when any part of a farm is killed at any instant and started again. */

const FULL = (process.env["CREAMERY_TEST_FULL"] ?? "") !== "";
const KILLS = Number(process.env["CREAMERY_TEST_KILLS"] ?? (FULL ? 250 : 15));
const LONGEST_PAUSE_MS = 3000;
const DRAIN_MS = 240_000;
const TEST_MS = KILLS * 12_000 + DRAIN_MS + 60_000;

const PROJECTS = [
  { name: "creamery-e2e-quick", files: PASSING },
  { name: "creamery-e2e-slow", files: { "tests/test_it.py": unittestOf("time.sleep(1.5)") } },
  { name: "creamery-e2e-built", publish: ["sdist" as const], files: PASSING },
  { name: "creamery-e2e-broken", files: FAILING },
];
const OUTCOMES = {
  "creamery-e2e-quick": "pass",
  "creamery-e2e-slow": "pass",
  "creamery-e2e-built": "pass",
  "creamery-e2e-broken": "fail",
};
const CONFIGURATIONS = ["cpython-3.9", "cpython-3.11", "cpython-3.13", "cpython-3.14"];

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());

describe.each(["SQLite", "PostgreSQL"])("a farm with %s", (kind) => {
  it(
    `that is killed in ${KILLS} places loses nothing, does nothing twice and leaves nothing`,
    async () => {
      const store = kind === "SQLite" ? {} : { store: await cluster.database() };
      await using farm = await ServiceFarm.open({ name: "kills", projects: PROJECTS, ...store });
      const { coordinator, workers, database } = farm;
      await farm.addWorker("one", { machine: "container", slots: 2 });
      await farm.addWorker("two", { machine: "gvisor", slots: 1 });
      await Promise.all(workers.map((worker) => worker.open()));
      const load = new SteadyLoad({
        database,
        projects: OUTCOMES,
        configurations: CONFIGURATIONS,
        atLeast: 6,
      });
      const kills = new RandomKills({
        coordinator,
        workers,
        seed: SEED,
        kills: KILLS,
        longestPauseMs: LONGEST_PAUSE_MS,
      });
      const told = () => `CREAMERY_TEST_SEED=${SEED}: ${JSON.stringify(kills.done)}`;

      const [enough, over] = [new AbortController(), new AbortController()];
      const loading = load.run(enough.signal);
      const supervised = kills.supervise(over.signal);
      await kills.run(AbortSignal.timeout(KILLS * 12_000));
      enough.abort();
      await loading;
      await load.drained(DRAIN_MS).catch((thrown: unknown) => {
        throw new Error(`${told()}: ${String(thrown)}`, { cause: thrown });
      });
      over.abort();
      await supervised;
      // Whoever was killed last begins once more, and removes what was left.
      await Promise.all([coordinator, ...workers].map((service) => service.stop()));
      await coordinator.open();
      await Promise.all(workers.map((worker) => worker.open()));
      await farm.stop();

      console.log(
        `${kind}: ${told()}, ${load.jobs.length} jobs, ${load.retried.length} dead and tried again`,
      );
      expect(kills.count, told()).toBe(KILLS);
      expect(kills.gaveUp, told()).toEqual([]);
      const wrong = await wrongInFarm({
        database,
        bucket: join(coordinator.dataDirectory, "bucket"),
        jobs: load.jobs,
        outcomes: OUTCOMES,
      });
      expect(wrong, told()).toEqual([]);
      for (const service of [coordinator, ...workers])
        expect(await service.leftovers(), `${service.name}; ${told()}`).toEqual([]);
    },
    TEST_MS,
  );
});
