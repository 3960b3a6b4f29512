import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { request, type ClientRequest } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";

import { expect, onTestFinished, test, vi } from "vitest";

import { owned, temporaryDirectory } from "../../test/owned.ts";
import { GitMirrors, type GitMirrorsOptions } from "../index/git/git-mirrors.ts";
import { UpstreamHosts } from "../index/git/repository-hosts.ts";
import { openFarmClient } from "../worker/farm-client.ts";
import { FarmRepositoryHosts } from "../worker/farm-repository-hosts.ts";
import { workerToken } from "./local-farm.sample.ts";
import { fleet, ROOT, type Fleet } from "./repository-fleet.sample.ts";

const signal = new AbortController().signal;
/** For an answer while others ask for what never comes: those hold it up for longer. */
const WAITED_MS = 40_000;
const tokenOf = (name: string) => ({ authorization: `Bearer ${workerToken(name)}` });
const pathOf = ({ url }: Fleet): string => url.slice("https://".length);

test("where the farm does not believe its certificate any more, nothing stands in at a worker", async () => {
  let ca: string | undefined;
  const of = await fleet({ intervalMs: 0, authorities: async () => ca });
  ca = of.forge.ca;
  const mirrors = await of.worker("one");
  await mirrors.repository(of.url, signal);
  ca = undefined;
  await expect(mirrors.repository(of.url, signal)).rejects.toThrow(/certificate/u);
  await expect(mirrors.resolve(of.url, "main", signal)).rejects.toThrow(/certificate/u);
});

test("what can be no name of a commit is none, and no fault of the farm's", async () => {
  const of = await fleet();
  await of.mirrors.repository(of.url, signal);
  of.forge.fault = 503;
  for (const reference of ["a\0b", "main^0", "main~0", ":/one", "main@{0}"]) {
    const at = `${of.farm.url}${ROOT}repositories/${pathOf(of)}?reference=${encodeURIComponent(reference)}`;
    const answer = await fetch(at, { headers: tokenOf("one") });
    expect([reference, await answer.json()]).toEqual([
      reference,
      { schema: 1, kind: "named", commit: null, stale: null },
    ]);
  }
  expect(of.faults).toEqual([]);
});

test("an address that can't be read is refused, and no other is asked in its place", async () => {
  const of = await fleet();
  const at = `${of.farm.url}${ROOT}repositories/${pathOf(of).split("/")[0]}/a%E4b.git`;
  expect((await fetch(at, { headers: tokenOf("one") })).status).toBe(404);
  expect(of.forge.requests).toEqual([]);
});

test("a worker that names what never answers holds up no other, and one attempt of it none of its own", async () => {
  const of = await fleet();
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket)).listen(0, "127.0.0.1");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  await once(silent, "listening");
  const name = async (count: number): Promise<void> => {
    const before = of.farm.requests.length;
    for (let each = 0; each < count; each++) {
      const at = `${of.farm.url}${ROOT}repositories/127.0.0.1:${portOf(silent)}/${before}-${each}`;
      fetch(at, { headers: tokenOf("bad") }).catch(() => undefined);
    }
    await expect.poll(() => of.farm.requests.length).toBe(before + count);
  };
  await name(2);
  await expect.poll(() => sockets.length).toBe(2);
  const own = await of.worker("bad");
  expect((await own.resolve(of.url, "main", AbortSignal.timeout(WAITED_MS))).commit).toBe(
    of.forge.commit,
  );
  await name(10);
  await expect.poll(() => sockets.length).toBeGreaterThan(2);
  const other = await of.worker("good");
  const found = await other.resolve(of.url, "main", AbortSignal.timeout(WAITED_MS));
  expect(found.commit).toBe(of.forge.commit);
});

test("a worker that takes nothing of what it asks for holds up no other", async () => {
  const of = await fleet({}, { "big.bin": randomBytes(24 << 20) });
  await of.mirrors.repository(of.url, signal);
  const answers: unknown[] = [];
  for (let each = 0; each < 6; each++)
    upload(of, of.url, "bad", of.forge.commit).on(
      "response",
      (answer) => void answers.push(answer),
    );
  await expect.poll(() => answers.length).toBeGreaterThan(1);
  await expect.poll(() => of.farm.requests.length).toBe(6);
  const other = await of.worker("good");
  const found = await other.repository(of.url, AbortSignal.timeout(WAITED_MS));
  expect(found.stale).toBeNull();
});

test("a fetch that breaks off in the middle, as when its farm is restarted, is made again", async () => {
  const of = await fleet({}, { "big.bin": randomBytes(2 << 20) });
  let cuts = 0;
  const way = createServer((socket) => {
    const farm = connect(Number(new URL(of.farm.url).port), "127.0.0.1");
    let left = Infinity;
    socket.on("data", (chunk: Buffer) => {
      if (chunk.includes("command=fetch") && cuts++ === 0) left = 400_000;
      farm.write(chunk);
    });
    farm.on("data", (chunk) => {
      left -= chunk.length;
      if (left > 0) return void socket.write(chunk);
      socket.destroy();
    });
    socket.on("error", () => undefined).on("close", () => farm.destroy());
    farm.on("error", () => undefined).on("close", () => socket.destroy());
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void way.close());
  await once(way, "listening");
  const directory = temporaryDirectory("fleet");
  const tokenFile = join(temporaryDirectory("fleet"), "token");
  writeFileSync(tokenFile, workerToken("one"), { mode: 0o600 });
  using client = await openFarmClient({ url: `http://127.0.0.1:${portOf(way)}`, tokenFile });
  const hosts: GitMirrorsOptions["hosts"] = (wanted) => new FarmRepositoryHosts(client, wanted);
  const mirrors = owned(await GitMirrors.open({ directory, hosts }));
  expect((await mirrors.repository(of.url, signal)).stale).toBeNull();
  expect(cuts).toBeGreaterThan(1);
  expect(readdirSync(join(directory, ".new"))).toEqual([]);
});

test("what is larger than a worker may keep is fetched from its farm once", async () => {
  const of = await fleet({}, { "big.bin": randomBytes(1 << 20) });
  const hosts = new FarmRepositoryHosts(await of.farm.worker("one"), {
    directory: temporaryDirectory("fleet"),
    life: signal,
  });
  const mirrors = owned(
    await GitMirrors.open({
      directory: temporaryDirectory("fleet"),
      maxBytes: 500_000,
      hosts: () => ({
        ask: (address, reference) => hosts.ask(address, reference),
        reached: (address, work) =>
          hosts.reached(address, (fetching) => work({ ...fetching, maxBytes: 500_000 })),
      }),
    }),
  );
  await expect(mirrors.repository(of.url, signal)).rejects.toThrow(/larger than 500000 bytes/u);
  const told = of.farm.requests.filter((line) => line.includes("/repositories/"));
  expect(told).toHaveLength(1);
});

test("a farm that first brings what a worker asks for may be silent for longer than an upstream", async () => {
  const of = await fleet();
  const hosts = new FarmRepositoryHosts(await of.farm.worker("one"), {
    directory: temporaryDirectory("fleet"),
    life: signal,
  });
  await hosts.reached(of.url, async ({ reached: { options } }) => {
    expect(options).toContain("http.lowSpeedTime=600");
  });
  // What is said of the way counts.
  const hasty = await fleet({
    hosts: (wanted) => {
      const upstream = new UpstreamHosts(wanted);
      return {
        ask: (address, reference) => upstream.ask(address, reference),
        reached: (address, work) =>
          upstream.reached(address, (fetching) => {
            const options = [...fetching.reached.options, "-c", "http.lowSpeedTime=1"];
            return work({ ...fetching, reached: { ...fetching.reached, options } });
          }),
      };
    },
  });
  hasty.forge.delayMs = 5000;
  await expect(hasty.mirrors.repository(hasty.url, signal)).rejects.toMatchObject({
    code: "upstream",
  });
});

test("a worker whose clock is behind its farm's asks it no more seldom", async () => {
  const of = await fleet();
  const client = await of.farm.worker("one");
  const directory = temporaryDirectory("fleet");
  const hosts: GitMirrorsOptions["hosts"] = (wanted) => new FarmRepositoryHosts(client, wanted);
  let nowMs = Date.now() - 3_600_000;
  const mirrors = owned(await GitMirrors.open({ directory, hosts, now: () => nowMs }));
  await mirrors.repository(of.url, signal);
  const before = of.farm.requests.length;
  nowMs += 6 * 60_000;
  await mirrors.repository(of.url, signal);
  expect(of.farm.requests.length).toBeGreaterThan(before);
});

test("a worker that asks for commits that nobody has, and goes away, holds up no other", async () => {
  let hangs = false;
  let hanging = 0;
  const of = await fleet({
    hosts: (wanted) => {
      const upstream = new UpstreamHosts(wanted);
      return {
        ask: (address, reference) => upstream.ask(address, reference),
        reached: (address, work) =>
          upstream.reached(address.replace(/\/bad\d/u, ""), async (fetching) => {
            if (!hangs || address === of.url) return await work(fetching);
            hanging++;
            await once(wanted.life, "abort");
            throw new Error("closed");
          }),
      };
    },
  });
  const addresses = Array.from({ length: 7 }, (_, at) =>
    of.url.replace("/owner", `/bad${at}/owner`),
  );
  for (const url of addresses) await of.mirrors.repository(url, signal);
  hangs = true;
  for (const [at, url] of addresses.entries()) {
    const asked = upload(of, url, "bad", `${at}`.repeat(40));
    await vi.waitUntil(() => hanging > at, 1000).catch(() => undefined);
    asked.destroy();
  }
  const other = await of.worker("good");
  const found = await other.resolve(of.url, "main", AbortSignal.timeout(WAITED_MS));
  expect(found.commit).toBe(of.forge.commit);
});

/** Asks the farm's git for one commit. */
function upload(of: Fleet, url: string, worker: string, commit: string): ClientRequest {
  const line = (text: string): string =>
    `${(text.length + 4).toString(16).padStart(4, "0")}${text}`;
  const wanted = [line("command=fetch"), "0001", line(`want ${commit}`), line("done"), "0000"];
  const headers = { ...tokenOf(worker), "git-protocol": "version=2" };
  const at = `${of.farm.url}${ROOT}git/${url.slice("https://".length)}/git-upload-pack`;
  const asked = request(at, { method: "POST", headers });
  asked.on("error", () => undefined).end(wanted.join(""));
  onTestFinished(() => void asked.destroy());
  return asked;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
