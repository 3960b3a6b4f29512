import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "vitest";

import { owned, temporaryDirectory } from "../../test/owned.ts";
import { commitOf } from "../index/git/bare-repository.ts";
import { FarmRepositories } from "../index/git/farm-repositories.ts";
import { UpstreamHosts } from "../index/git/repository-hosts.ts";
import { FarmRepositoryHosts } from "../worker/farm-repository-hosts.ts";
import { startLocalFarm, workerToken } from "./local-farm.sample.ts";
import { fleet, ROOT, type Fleet } from "./repository-fleet.sample.ts";

const signal = new AbortController().signal;

const fetches = ({ forge }: Fleet): number =>
  forge.requests.filter((line) => line.endsWith(" fetch")).length;

test("a fleet asks a repository's host once in an interval, and each worker has all of it", async () => {
  const of = await fleet();
  for (const name of ["one", "two"]) {
    const mirrors = await of.worker(name);
    for (let time = 0; time < 2; time++) {
      const repository = await mirrors.repository(of.url, signal);
      expect(repository.stale).toBeNull();
      expect(repository.fetchedAt).toEqual((await of.mirrors.kept(of.url))?.fetchedAt);
      for (const reference of ["HEAD", "refs/heads/main", "refs/tags/v1.2"])
        expect(await commitOf(repository, reference, signal)).toBe(of.forge.commit);
    }
  }
  expect(fetches(of)).toBe(1);
});

test("a commit that nobody has yet is brought by way of the farm, and by a name that it has", async () => {
  const of = await fleet();
  const mirrors = await of.worker("one");
  await mirrors.repository(of.url, signal);
  of.forge.git("commit", "-q", "--allow-empty", "-m", "two");
  of.forge.git("push", "-q", "origin", "main");
  const two = of.forge.git("rev-parse", "HEAD").trim();
  expect((await mirrors.commit(of.url, two, signal)).stale).toBeNull();
  expect(await mirrors.resolve(of.url, "main", signal)).toMatchObject({ commit: two });
  of.forge.git("commit", "-q", "--allow-empty", "-m", "three");
  of.forge.git("push", "-q", "origin", "HEAD:refs/pull/1/head");
  const three = of.forge.git("rev-parse", "HEAD").trim();
  expect(await mirrors.resolve(of.url, "refs/pull/1/head", signal)).toMatchObject({
    commit: three,
  });
  expect(await mirrors.resolve(of.url, null, signal)).toMatchObject({ commit: two });
  await expect(mirrors.resolve(of.url, "nothing", signal)).rejects.toThrow("no such branch");
  await expect(mirrors.commit(of.url, "0".repeat(40), signal)).rejects.toThrow("no such branch");
});

test("a host that is away, or a farm, is told with what is kept; one that has it no more is not", async () => {
  const of = await fleet({ intervalMs: 0 });
  const mirrors = await of.worker("one");
  const { fetchedAt } = await mirrors.repository(of.url, signal);
  of.forge.fault = 503;
  const old = await mirrors.repository(of.url, signal);
  expect([old.fetchedAt, old.stale?.message]).toEqual([
    fetchedAt,
    "is no git repository that can be read (503)",
  ]);
  expect(await mirrors.resolve(of.url, "v1.2", signal)).toMatchObject({
    commit: of.forge.commit,
    repository: { stale: { message: "is no git repository that can be read (503)" } },
  });
  const other = await of.worker("two");
  expect((await other.repository(of.url, signal)).stale?.code).toBe("upstream");
  await of.farm[Symbol.asyncDispose]();
  expect((await mirrors.repository(of.url, signal)).stale?.code).toBe("no-network");
});

test("a repository that its host has for us no more is no worker's either", async () => {
  const of = await fleet({ intervalMs: 0 });
  const mirrors = await of.worker("one");
  await mirrors.repository(of.url, signal);
  of.forge.fault = 404;
  for (const who of [mirrors, await of.worker("two")])
    await expect(who.repository(of.url, signal)).rejects.toMatchObject({
      code: "upstream",
      input: of.url,
      message: "is no git repository that can be read (404)",
    });
  // What this farm may not reach is told as it is there.
  await expect(mirrors.repository("https://10.1.2.3/x", signal)).rejects.toMatchObject({
    code: "address-refused",
  });
});

test("what takes long is asked for until it is there", async () => {
  const of = await fleet({
    hosts: (wanted) => {
      const hosts = new UpstreamHosts(wanted);
      return {
        reached: (address, work) => hosts.reached(address, work),
        ask: async (address, reference) => {
          await sleep(600);
          return await hosts.ask(address, reference);
        },
      };
    },
  });
  of.forge.delayMs = 600;
  const repositories = new FarmRepositories(of.mirrors, 50);
  const asked: string[] = [];
  const slow = owned(
    await startLocalFarm((api) =>
      api.get("/index/repositories/*", async (context) => {
        asked.push(context.req.path);
        const { incoming: request, outgoing: response } = context.env;
        const [path = "", rest = ""] = context.req.path.split(`${ROOT}repositories/`);
        await repositories.tell({ request, response, path, signal }, rest.split("/"), "one");
        const { RESPONSE_ALREADY_SENT } = await import("@hono/node-server/utils/response");
        return RESPONSE_ALREADY_SENT;
      }),
    ),
  );
  const hosts = new FarmRepositoryHosts(await slow.worker("one"), {
    directory: temporaryDirectory("fleet"),
    life: signal,
  });
  await hosts.reached(of.url, async ({ asOf }) => {
    expect(asOf?.fetchedAt).toEqual((await of.mirrors.kept(of.url))?.fetchedAt);
  });
  expect(asked.length).toBeGreaterThan(2);
  expect((await hosts.ask(of.url, "main")).commit).toBe(of.forge.commit);
});

test("the worker's token is in no command line, and nobody is served without one", async () => {
  const of = await fleet();
  const life = signal;
  const directory = temporaryDirectory("fleet");
  const hosts = new FarmRepositoryHosts(await of.farm.worker("one"), { directory, life });
  await hosts.reached(of.url, async ({ reached: { url, options, env } }) => {
    expect([url, ...options].join(" ")).not.toContain(workerToken("one"));
    expect(Object.values(env ?? {})).toContain(`Authorization: Bearer ${workerToken("one")}`);
  });
  const at = `${of.farm.url}${ROOT}`;
  const path = of.url.slice("https://".length);
  const token = { authorization: `Bearer ${workerToken("one")}` };
  for (const [method, below, headers, status] of [
    ["GET", `git/${path}/info/refs?service=git-upload-pack`, {}, 401],
    ["POST", `git/${path}/git-upload-pack`, {}, 401],
    ["GET", `git/${path}/info/refs?service=git-upload-pack`, token, 200],
    ["GET", `git/${path}/info/refs?service=git-receive-pack`, token, 403],
    ["POST", `git/${path}/git-upload-pack`, token, 400],
    ["POST", `repositories/${path}`, token, 405],
    ["GET", "repositories/user@127.0.0.1/x", token, 403],
    ["GET", "repositories/..%2f/x", token, 404],
  ] as const) {
    const body = method === "POST" ? "not a line of git's" : null;
    const answer = await fetch(`${at}${below}`, { method, headers, body });
    expect([method, below, answer.status]).toEqual([method, below, status]);
  }
});
