import { once } from "node:events";
import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { Server } from "node:http";
import { join } from "node:path";

import { serve } from "@hono/node-server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { CreameryError } from "../base/errors.ts";
import { arrive, sampleFarm, sampleStatus, type SampleFarm } from "../web/api/farm.sample.ts";
import { drainCommand } from "./drain-command.ts";
import { readFarmFile, removeFarmFile, writeFarmFile } from "./farm/running-farm.ts";
import { queueCommand, type QueueAction } from "./queue-command.ts";
import { statusCommand, statusText } from "./status-command.ts";
import { tokenCommand } from "./token.ts";

const { signal } = new AbortController();

let farm: SampleFarm;
let server: ReturnType<typeof serve>;
let data = "";
let url = "";
beforeEach(async () => {
  farm = await sampleFarm();
  server = serve({ fetch: farm.app.fetch, port: 0, hostname: "127.0.0.1" });
  await once(server, "listening");
  const address = server.address();
  url = typeof address === "object" ? `http://127.0.0.1:${address?.port}/` : "";
  data = join(farm.directory, "data");
  mkdirSync(data);
  vi.stubEnv("CREAMERY_DATA_DIR", data);
  await runsHere(await farm.token(["admin"], { name: "the host's own" }));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  if (server instanceof Server) server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  await farm[Symbol.asyncDispose]();
});

async function runsHere(token: string): Promise<void> {
  const tokenFile = join(data, "token");
  writeFileSync(tokenFile, `${token.replace("Bearer ", "")}\n`, { mode: 0o600 });
  await writeFarmFile(data, { url, tokenFile });
}

/** What a command says on standard output, and how it ends. */
async function said(work: () => Promise<number>): Promise<{ code: number; text: string }> {
  let text = "";
  const out = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  const err = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  try {
    return { code: await work(), text };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}

const queue = (action: QueueAction, words: string[] = [], options: object = {}) =>
  said(() => queueCommand(action, words, options, signal));
const faultOf = async (work: Promise<unknown>): Promise<CreameryError> => {
  const thrown: unknown = await work.catch((error: unknown) => error);
  if (thrown instanceof CreameryError) return thrown;
  throw new Error("no fault");
};

test("what is added is listed, cancelled and tried again", async () => {
  const added = await queue("add", ["six==1.17.0", "attrs"], { on: "cpython-3.13,pypy-3.11" });
  expect(added.text).toMatch(/^job +project +configuration\n\S+ +six +cpython-3.13 +queued\n/u);
  const { text } = await queue("list", [], { limit: "3" });
  expect(text).toContain("manual  queued  4");
  expect(text.match(/six==1\.17\.0/gu)?.length).toBe(1);
  const [, key = ""] = /^(\S+) +six==1\.17\.0/mu.exec((await queue("list")).text) ?? [];
  expect((await queue("cancel", [key])).text).toBe(`${key} cancelled: six==1.17.0 pypy-3.11\n`);
  expect((await faultOf(queue("cancel", [key]))).line).toContain("it is over already");
  expect((await queue("list", [], { state: "cancelled" })).text).toContain("by the host's own");
  expect((await queue("retry", [key])).text).toContain("queued again");
  expect((await queue("dead")).text).toContain("No such jobs.");
});

test("as JSON it is what the API says", async () => {
  await queue("add", ["six"]);
  const parsed: unknown = JSON.parse((await queue("list", [], { json: true })).text);
  expect(parsed).toMatchObject({ schema: 1, jobs: [{ project: "six", state: "queued" }] });
});

test("more jobs than a page are all listed", async () => {
  for (let at = 0; at < 210; at++) await farm.enqueue(`p${at}`);
  const parsed: unknown = JSON.parse((await queue("list", [], { json: true, limit: "205" })).text);
  expect(parsed).toMatchObject({ jobs: { length: 205 } });
});

test.each([
  ["add", ["./here"], {}, 2, /\.\/here: is a path/u],
  ["add", ["six"], { on: "3.13" }, 2, /did you mean cpython-3\.13/u],
  ["add", ["six"], { on: "," }, 2, /configurations/u],
  ["cancel", ["nothere"], {}, 2, /nothere: the farm knows no such job/u],
  ["list", [], { state: "good" }, 2, /--state is one of queued/u],
  ["list", [], { limit: "many" }, 2, /--limit/u],
  ["list", [], { farm: "https://farm.example/" }, 2, /give both/u],
] as const)("queue %s %j %j is told in one line", async (action, words, options, code, told) => {
  const fault = await faultOf(queue(action, [...words], options));
  expect(fault.line).toMatch(told);
  expect(fault.exitCode).toBe(code);
});

test("where no farm runs that is said, with how to start it", async () => {
  await removeFarmFile(data);
  const none = await faultOf(queue("list"));
  expect([none.code, none.exitCode]).toEqual(["no-farm", 3]);
  expect(none.line).toContain("start it with ./creamery up");
  await writeFarmFile(data, { url: "http://127.0.0.1:9/", tokenFile: join(data, "token") });
  const gone = await faultOf(queue("list"));
  expect(gone.line).toBe("http://127.0.0.1:9: no farm answers there; start it with ./creamery up");
});

test("the file that names the farm is its user's alone, and what is damaged is told", async () => {
  expect(statSync(join(data, "farm.json")).mode & 0o777).toBe(0o600);
  expect((await readFarmFile(data)).api).toBe(`${url}api/v1/`);
  writeFileSync(join(data, "token"), "creamery_person_cut");
  const cut = await faultOf(readFarmFile(data));
  expect(cut.line).toContain("holds no token");
  expect(cut.line).not.toContain("creamery_person_cut");
  rmSync(join(data, "token"));
  expect((await faultOf(readFarmFile(data))).code).toBe("configuration-file");
  writeFileSync(join(data, "farm.json"), "{}");
  expect((await faultOf(readFarmFile(data))).line).toContain("./creamery up");
});

test("who may not is told why", async () => {
  await runsHere(await farm.token(["read-private"]));
  const fault = await faultOf(said(() => statusCommand({}, signal)));
  expect([fault.code, fault.message]).toEqual([
    "farm-refused",
    "this needs a token with operate or admin",
  ]);
});

test("the status says first what is wrong, and ends with 1 where something is", async () => {
  const { code, text } = await said(() => statusCommand({}, signal));
  expect(code).toBe(1);
  expect(text.split("\n").slice(0, 2)).toEqual([
    "Creamery 0.1.0, up for 0 s: 1 wrong",
    "! the changelog can't be followed (since 0 s ago); check this host's network with `./creamery doctor`",
  ]);
  expect(text).toContain("From upload to verdict: 95 s for half, 6 min for nine in ten, of 120");
  expect(text).toMatch(/^changelog +https:\/\/index\.example\/ +failing +5 min/mu);
  expect(text).toMatch(/^priority +3 +1 +2 +0/mu);
  const well = statusText({
    ...sampleStatus(farm.nowMs),
    alarms: [],
    latency: null,
    watchers: [],
    hosts: [],
  });
  expect(well).toContain("all is well");
  expect(well).toContain("no release had its first in the last day");
  expect(well).not.toContain("watcher");
});

test("a hostile word of a host's reaches no terminal", () => {
  const [host] = sampleStatus(0).hosts;
  if (host === undefined) throw new Error("no host");
  const hosts = [{ ...host, name: "\u001b[31mred", reason: "a\nb" }];
  expect(statusText({ ...sampleStatus(0), hosts })).not.toContain("\u001b");
});

test("a host drains and takes jobs again; the only one needs no name", async () => {
  const drain = (host?: string, options: object = {}) =>
    said(() => drainCommand(host, options, signal));
  expect((await faultOf(drain())).line).toContain("name the host; none has taken jobs yet");
  await arrive(farm, "one");
  expect((await drain(undefined, { reason: "new disk" })).text).toContain(
    "one takes no more jobs; nothing runs on it",
  );
  expect((await farm.deps.hosts.byName("one"))?.reason).toBe("new disk");
  expect((await drain("one", { resume: true })).text).toBe("one takes jobs\n");
  await arrive(farm, "two");
  expect((await faultOf(drain())).line).toContain("one, two");
  expect((await faultOf(drain("three"))).code).toBe("unknown-host");
});

test("a token is made, alone on standard output, listed without it, and revoked", async () => {
  // A command reckons a token's end by the clock of who types it.
  farm.nowMs = Date.now();
  const token = (action: "create" | "list" | "revoke", word?: string, options: object = {}) =>
    said(() => tokenCommand(action, word, options, signal));
  const made = await token("create", "ci of lmdb", {
    scopes: "enqueue",
    projects: "LMDB",
    days: "30",
  });
  expect(made.text).toMatch(/^creamery_program_[0-9a-z]{16}_[0-9a-z]+\n$/u);
  const [, id = ""] = /^creamery_program_([0-9a-z]{16})_/u.exec(made.text) ?? [];
  const listed = (await token("list")).text;
  expect(listed).toMatch(
    new RegExp(`^${id} +program +ci of lmdb +enqueue +lmdb +never +good`, "mu"),
  );
  expect(listed).not.toContain(made.text.trim());
  expect((await token("revoke", id)).text).toBe(`${id} is good for nothing more\n`);
  expect((await token("list")).text).toMatch(new RegExp(`^${id} .*revoked$`, "mu"));
  const worker = await token("create", "w1", { kind: "worker" });
  expect(worker.text).toMatch(/^creamery_worker_/u);
  for (const options of [{}, { scopes: "root" }, { scopes: "admin", days: "-1" }, { kind: "cat" }])
    expect((await faultOf(token("create", "x", options))).exitCode).toBe(2);
});
