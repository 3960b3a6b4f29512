import { chmodSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type { TomlTable } from "smol-toml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { STATE } from "../../src/store/sql/job-rows.ts";
import { temporaryDirectory } from "../owned.ts";
import { startCluster, type Cluster } from "../postgresql/cluster.ts";
import { projectElsewhere } from "./elsewhere-project.ts";
import { NetworkRoom, whyNoNetworks, type OtherHost } from "./network-room.ts";
import { PASSING, unittestOf } from "./pack-projects.ts";
import { ServiceFarm } from "./service-farm.ts";
import type { ServiceProcess } from "./service-process.ts";
import { SteadyLoad, type LoadOptions } from "./steady-load.ts";
import { upstreamsOf } from "./upstreams-of.ts";
import { wrongInFarm } from "./wrong-in-farm.ts";

/** Workers on hosts of their own, reached by https and a wire that can be cut; and a store that is away for a while. */

const FULL = (process.env["CREAMERY_TEST_FULL"] ?? "") !== "";
const AWAY_MS = FULL ? 60_000 : 5000;
const BACK_MS = FULL ? 15_000 : 1000;
const MEASURE_MS = FULL ? 20_000 : 5000;
const DRAIN_MS = 180_000;
/** Of the rate before: what is called back at full rate, for numbers that are seen for a short time. */
const LEAST_SHARE = 0.75;
const LOOK_MS = 200;
const HELD_MS = 30_000;

const LONG_SECONDS = 15;
const PROJECTS = [
  { name: "creamery-e2e-quick", files: PASSING },
  { name: "creamery-e2e-slow", files: { "tests/test_it.py": unittestOf("time.sleep(1)") } },
  {
    name: "creamery-e2e-long",
    files: { "tests/test_it.py": unittestOf(`time.sleep(${LONG_SECONDS})`) },
  },
];
const QUICK = { "creamery-e2e-quick": "pass", "creamery-e2e-slow": "pass" };
const LONG = { "creamery-e2e-long": "pass" };
const ELSEWHERE = { "creamery-e2e-elsewhere": "pass" };
const CONFIGURATIONS = ["cpython-3.11", "cpython-3.12", "cpython-3.13", "cpython-3.14"];

interface RemoteWorker {
  readonly service: ServiceProcess;
  readonly host: OtherHost;
}

interface NetworkFarm extends AsyncDisposable {
  readonly farm: ServiceFarm;
  readonly workers: readonly RemoteWorker[];
  readonly load: (options: Pick<LoadOptions, "projects" | "atLeast">) => SteadyLoad;
  readonly wrong: (...loads: readonly SteadyLoad[]) => Promise<readonly string[]>;
}

const why = process.getuid?.() === 0 ? await whyNoNetworks() : "this needs root";
if (why !== null) console.warn(`no test of workers in networks of their own: ${why}`);

describe.skipIf(why !== null)("three workers on hosts of their own", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  it(
    "one killed and one cut off in mid-attempt: the third does what they did not, and what comes too late is not kept",
    async () => {
      await using opened = await openFarm(cluster);
      const { farm, workers, wrong } = opened;
      const long = opened.load({ projects: LONG, atLeast: 3 });
      await long.fill();
      const held = await heldBy(farm, workers, 3);
      const [killed, cut, third] = workers;
      if (killed === undefined || cut === undefined || third === undefined)
        throw new Error("there are three workers");
      const late = held.get(cut.service.name) ?? "";
      killed.service.killLauncher();
      cut.host.unplug();
      // Its test ends, and its lease too, before it hears of its farm again.
      await sleep((LONG_SECONDS + 5) * 1000);
      await long.hurry();
      expect(await leaseOf(farm, late)).toBe(false);
      cut.host.plug();
      await killed.service.open();
      const quick = opened.load({ projects: QUICK, atLeast: 6 });
      await quick.fill();
      await long.drained(DRAIN_MS);

      expect(await wrong(long, quick)).toEqual([]);
      expect(await idsOf(farm)).not.toContain(late);
      // It goes on by itself.
      await expectFinished(cut.service, quick, long);
      expect([cut.service.lives, third.service.lives, farm.coordinator.lives]).toEqual([1, 1, 1]);
      await farm.stop();
      for (const service of [farm.coordinator, ...farm.workers])
        expect(await service.leftovers(), service.name).toEqual([]);
    },
    DRAIN_MS + 120_000,
  );

  it(
    "test what lies in a repository that their farm alone can reach, and that it fetches once for all of them",
    async () => {
      const elsewhere = await projectElsewhere("creamery-e2e-elsewhere", PASSING);
      await using forge = elsewhere.forge;
      const trusted = temporaryDirectory("forge");
      chmodSync(trusted, 0o755);
      const cert = join(trusted, "forge.pem");
      copyFileSync(forge.caFile, cert);
      await using opened = await openFarm(cluster, (index) => ({
        upstreams: { ...upstreamsOf(index), cert },
        addresses: { allow: ["127.0.0.1"] },
      }));
      const { farm, load, wrong } = opened;
      farm.upstream.files.push(...elsewhere.files);
      const jobs = load({ projects: ELSEWHERE, atLeast: CONFIGURATIONS.length });
      await jobs.fill();
      await jobs.drained(DRAIN_MS);
      expect(await wrong(jobs)).toEqual([]);
      const hosts = await farm.database.read((db) =>
        db.selectFrom("queue_job").select("worker_id").distinct().execute(),
      );
      expect(hosts.length).toBeGreaterThan(1);
      const fetches = forge.requests.filter((line) => line.endsWith(" fetch"));
      expect(fetches, forge.requests.join("\n")).toHaveLength(1);
    },
    DRAIN_MS + 120_000,
  );

  it.each(["is stopped", "answers nothing"])(
    `a PostgreSQL that %s for ${AWAY_MS / 1000} s under load: nothing is lost, nothing has to be restarted`,
    async (how) => {
      await using opened = await openFarm(cluster);
      const { farm, wrong } = opened;
      const load = opened.load({ projects: QUICK, atLeast: 8 });
      const enough = new AbortController();
      const loading = load.run(enough.signal);
      await sleep(MEASURE_MS / 4);
      const before = await rateOf(farm);
      if (how === "is stopped") await cluster.kill();
      else cluster.freeze();
      await sleep(AWAY_MS);
      if (how === "is stopped") await cluster.start();
      else cluster.thaw();
      await sleep(BACK_MS);
      const after = await rateOf(farm);
      enough.abort();
      await loading;
      await load.drained(DRAIN_MS);

      console.log(
        `PostgreSQL ${how} for ${AWAY_MS / 1000} s: ${before.toFixed(2)} jobs/s before, ${after.toFixed(2)} from ${BACK_MS / 1000} s after on, ${load.retried.length} dead and tried again`,
      );
      expect(await wrong(load)).toEqual([]);
      expect(load.retried).toEqual([]);
      for (const service of [farm.coordinator, ...farm.workers])
        expect(service.lives, `${service.name}: ${service.said}`).toBe(1);
      // Nothing is timed on a host that does something else.
      expect(FULL ? after : before).toBeGreaterThanOrEqual(LEAST_SHARE * before);
    },
    AWAY_MS + DRAIN_MS + 120_000,
  );
});

/** @param more of creamery.toml, where the farm's index is there. */
async function openFarm(
  cluster: Cluster,
  more: (index: string) => TomlTable = () => ({}),
): Promise<NetworkFarm> {
  await using opened = new AsyncDisposableStack();
  const room = opened.use(new NetworkRoom());
  const hosts = [room.addHost(), room.addHost(), room.addHost()];
  const { cert, key } = room.certificate;
  const farm = opened.use(
    await ServiceFarm.open({
      name: "network",
      projects: PROJECTS,
      store: await cluster.database(),
      config: (port, index) => ({
        farm: { listen: `0.0.0.0:${port}`, tls_cert: cert, tls_key: key },
        ...more(index),
      }),
    }),
  );
  const workers = await Promise.all(
    hosts.map(async (host, index) => ({
      host,
      service: await farm.addWorker(`worker-${index + 1}`, {
        machine: "container",
        slots: 1,
        url: `https://${room.farmAddress}:${farm.port}/`,
        more: ["--ca-file", cert],
        through: host.through,
        // No proxy of this host's leads there.
        env: { NO_PROXY: room.farmAddress, no_proxy: room.farmAddress },
      }),
    })),
  );
  await Promise.all(workers.map(({ service }) => service.open()));
  const parts = opened.move();
  const { database, coordinator } = farm;
  return {
    farm,
    workers,
    load: (options) => new SteadyLoad({ database, configurations: CONFIGURATIONS, ...options }),
    wrong: (...loads) =>
      wrongInFarm({
        database,
        bucket: join(coordinator.dataDirectory, "bucket"),
        jobs: loads.flatMap(({ jobs }) => jobs),
        outcomes: { ...QUICK, ...LONG, ...ELSEWHERE },
      }),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

/** Waits until so many workers are at an attempt's tests. @returns the attempts, by worker. */
async function heldBy(
  farm: ServiceFarm,
  workers: readonly RemoteWorker[],
  count: number,
): Promise<ReadonlyMap<string, string>> {
  for (const deadline = performance.now() + HELD_MS; performance.now() < deadline;) {
    const rows = await farm.database.read((db) =>
      db
        .selectFrom("queue_job")
        .innerJoin("worker", "worker.id", "queue_job.worker_id")
        .select(["worker.name", "queue_job.attempt"])
        .where("queue_job.state", "=", STATE.leased)
        .execute(),
    );
    const testing = workers.every(({ service }) =>
      service.below().some(({ words }) => words.includes("creamery_unittest")),
    );
    if (rows.length === count && testing)
      // A host's name is its token's, and a little more.
      return new Map(rows.map(({ name, attempt }) => [name.replace(/\..*$/u, ""), attempt ?? ""]));
    await sleep(LOOK_MS);
  }
  throw new Error("not every worker came to test something");
}

async function leaseOf(farm: ServiceFarm, attempt: string): Promise<boolean> {
  const rows = await farm.database.read((db) =>
    db
      .selectFrom("queue_job")
      .select("key")
      .where("attempt", "=", attempt)
      .where("state", "=", STATE.leased)
      .execute(),
  );
  return rows.length > 0;
}

async function idsOf(farm: ServiceFarm): Promise<readonly string[]> {
  const rows = await farm.database.read((db) => db.selectFrom("result").select("id").execute());
  return rows.map(({ id }) => id);
}

/** Waits until a worker has finished something more. */
async function expectFinished(service: ServiceProcess, ...loads: SteadyLoad[]): Promise<void> {
  const count = () =>
    service.log.filter(
      ({ event, outcome }) => event === "worker-finished" && !String(outcome).startsWith("lost"),
    ).length;
  const had = count();
  for (let tries = 0; count() === had && tries < 20; tries++) {
    for (const load of loads) await load.fill();
    await Promise.all(loads.map((load) => load.drained(DRAIN_MS)));
  }
  expect(count()).toBeGreaterThan(had);
}

/** Jobs that come to their end in a second, seen for a while. */
async function rateOf(farm: ServiceFarm): Promise<number> {
  const count = async () =>
    (
      await farm.database.read((db) =>
        db.selectFrom("queue_job").select("key").where("state", "=", STATE.done).execute(),
      )
    ).length;
  const [had, began] = [await count(), performance.now()];
  await sleep(MEASURE_MS);
  return ((await count()) - had) / ((performance.now() - began) / 1000);
}
