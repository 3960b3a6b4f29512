import { expect, test } from "vitest";

import { freePort } from "../../../test/free-port.ts";
import { owned } from "../../../test/owned.ts";
import {
  PAGE_TYPE,
  rowOf,
  sends,
  sendsFile,
  sendsPage,
  sendsRaw,
  startBadUpstream,
  type Answer,
  type BadUpstream,
} from "../../../test/upstream/bad-upstream.ts";
import {
  content,
  FILE,
  HONEST,
  html,
  other,
  pageOf,
  redirect,
  sha,
  SILENT,
  trying,
} from "./bad-upstreams.sample.ts";

/** A private index before a public one: a name is never taken from the second because something is wrong with the first. */

async function privateIndex(answers: BadUpstream["answers"], port = 0): Promise<BadUpstream> {
  const started = owned(await startBadUpstream(answers, port));
  return started;
}

const OWN = "spam-1.0+own.tar.gz";
const ownPage = sendsPage(pageOf([rowOf(OWN, other)]));

const NO_ANSWERS: readonly (readonly [string, Answer, string])[] = [
  ["fails", sends("", {}, 500), "upstream"],
  ["is being maintained", sends("", {}, 503), "upstream"],
  ["is asked too often", sends("", {}, 429), "upstream"],
  ["wants to know who asks", sends("", {}, 401), "upstream"],
  ["forbids it", sends("", {}, 403), "upstream"],
  ["asks to log in", html('<html><a href="/login">Log in</a></html>'), "upstream"],
  ["sends somewhere else", redirect("https://10.0.0.1/login"), "address-refused"],
  ["says nothing", () => undefined, "upstream"],
  ["hangs up", ({ socket }) => void socket.destroy(), "no-network"],
  ["speaks something else", sendsRaw("SSH-2.0-x\n"), "no-network"],
  ["sends half a page", sendsRaw("HTTP/1.1 200 OK\nContent-Length: 99\n\n", "{"), "upstream"],
  ["sends another project's page", sendsPage(pageOf([], { name: "eggs" })), "upstream"],
];

test.each(NO_ANSWERS)(
  "an index that %s is not passed over: no later one is asked for the name",
  async (_what, answer, code) => {
    const first = await privateIndex([["/simple/", answer]]);
    const tried = await trying(HONEST, { extra: [first.url] }, SILENT);
    expect((await tried.page()).status).toBeGreaterThanOrEqual(500);
    expect((await tried.file()).status).toBeGreaterThanOrEqual(500);
    expect(tried.up.requests).toEqual([]);
    const { faults, pages, missing } = tried.endpoint.record();
    expect(new Set(faults.map((fault) => fault.code))).toEqual(new Set([code]));
    expect({ pages, missing }).toEqual({ pages: [], missing: [] });
  },
);

test("an index that can't be reached is not passed over either, and is served from what it said before", async () => {
  const first = await privateIndex([["/simple/spam/", ownPage]], await freePort());
  const tried = await trying(HONEST, { extra: [first.url] });
  expect((await tried.page({ accept: PAGE_TYPE })).body.toString()).toContain(OWN);
  await first[Symbol.asyncDispose]();
  tried.later();
  const stale = await tried.page({ accept: PAGE_TYPE });
  expect(stale.headers["warning"]).toContain("Stale");
  expect(stale.body.toString()).toContain(OWN);
  const { indexPath } = tried.endpoint;
  expect((await tried.ask(`${indexPath}ham/`)).status).toBe(502);
  expect(tried.up.requests).toEqual([]);
});

test("who may see a private project no more is shown neither an old page nor the public one of its name", async () => {
  const first = await privateIndex([["/simple/spam/", ownPage]]);
  const tried = await trying(HONEST, { extra: [first.url] });
  await tried.page();
  first.answers = [["/simple/spam/", sends("", {}, 403)]];
  tried.later();
  expect((await tried.page()).status).toBe(502);
  expect(tried.up.requests).toEqual([]);
});

test("a name that the first index gets later is the first's from then on, whole", async () => {
  const first = await privateIndex([]);
  const tried = await trying(HONEST, { extra: [first.url] });
  expect((await tried.file()).body.equals(content)).toBe(true);
  expect(first.requests).toEqual(["GET /simple/spam/"]);
  first.answers = [
    ["/simple/spam/", ownPage],
    ["/packages/", sendsFile(other)],
  ];
  tried.later();
  const page = await tried.page({ accept: PAGE_TYPE });
  expect(page.body.toString()).toContain(OWN);
  expect(page.body.toString()).not.toContain(FILE);
  // Its public namesake is at no address any more, though its bytes are kept.
  expect((await tried.file()).status).toBe(404);
  expect((await tried.file(OWN, sha(other))).body.equals(other)).toBe(true);
  expect(tried.endpoint.record().pages).toMatchObject([{ upstream: first.url }]);
});

test("a name that the first index has no more is told when a later one has it", async () => {
  const first = await privateIndex([["/simple/spam/", ownPage]]);
  const tried = await trying(HONEST, { extra: [first.url] });
  await tried.page();
  first.answers = [];
  tried.later();
  for (const _ of [1, 2])
    expect((await tried.page({ accept: PAGE_TYPE })).body.toString()).toContain(FILE);
  expect(tried.told).toEqual([
    `spam was on ${first.url} and is not any more: it is ${tried.up.url}'s now`,
  ]);
  expect(tried.endpoint.record().pages).toMatchObject([{ upstream: tried.up.url }]);
});

test("a name is one in all indexes, however it is asked for", async () => {
  const own = sendsPage(pageOf([rowOf("my_lib-1.0.tar.gz", other)], { name: "My.Lib" }));
  const first = await privateIndex([["/simple/my-lib/", own]]);
  const tried = await trying([["/simple/", sendsPage(pageOf([], { name: "my-lib" }))]], {
    extra: [first.url],
  });
  const { indexPath } = tried.endpoint;
  for (const name of ["My_Lib", "MY.LIB", "my--lib"])
    expect((await tried.ask(`${indexPath}${name}/`)).status).toBe(301);
  expect((await tried.ask(`${indexPath}my-lib/`)).body.toString()).toContain("my_lib-1.0.tar.gz");
  expect(tried.up.requests).toEqual([]);
});
