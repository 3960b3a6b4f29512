import { createHash } from "node:crypto";
import { join } from "node:path";
import { expect, test } from "vitest";

import { owned, temporaryDirectory } from "../../../test/owned.ts";
import {
  sends,
  sendsRaw,
  startBadUpstream,
  type Answer,
  type BadUpstream,
} from "../../../test/upstream/bad-upstream.ts";
import { askSocket } from "../serve/ask-socket.sample.ts";
import { html, redirect } from "./bad-upstreams.sample.ts";
import { takeInventory } from "../cache/inventory.ts";
import { verifyIndex } from "../cache/verify-index.ts";
import { openIndexService } from "../index-service.ts";

/** As bad-files.test.ts, of an index of crates. */

const signal = new AbortController().signal;

const crate = Buffer.alloc(5000, "crate ");
const other = Buffer.alloc(5000, "other ");
const cksum = createHash("sha256").update(crate).digest("hex");
const line = JSON.stringify({ name: "spam", vers: "1.0.0", cksum, deps: [] });
const CONFIG: readonly [string, Answer] = ["/simple/config.json", sends('{\n"dl": "/dl"\n}\n')];
const DOCUMENT: readonly [string, Answer] = ["/simple/sp/am/spam", sends(`${line}\n`)];
const FILE: readonly [string, Answer] = ["/dl/", sends(crate)];

async function trying(answers: BadUpstream["answers"]) {
  const up = owned(await startBadUpstream(answers));
  const directory = temporaryDirectory("bad-crates");
  const upstream = { url: up.url, authorization: null, insecure: false };
  let now = Date.now();
  const farm = owned(
    await openIndexService({
      directory,
      upstreams: {
        indexes: [upstream],
        crates: upstream,
        transport: { ca: undefined, clientCert: undefined, proxy: null },
      },
      now: () => now,
    }),
  );
  const socketPath = join(directory, "index.sock");
  const endpoint = await farm.openEndpoint({ socketPath, attemptId: "a1" });
  const ask = (path: string) => askSocket(socketPath, `${endpoint.cratesPath}${path}`);
  return {
    up,
    directory,
    endpoint,
    later: () => {
      now += 86_400_000;
    },
    versions: () => ask("sp/am/spam"),
    crate: () => ask(`dl/spam/1.0.0/${cksum}`),
  };
}

async function expectUnpoisoned(tried: Awaited<ReturnType<typeof trying>>): Promise<void> {
  const { directory, up } = tried;
  const { units } = await takeInventory(directory, signal);
  expect(units.filter(({ area }) => area === "files")).toEqual([]);
  expect(await verifyIndex({ directory, signal })).toMatchObject({ faults: [] });
  up.answers = [CONFIG, DOCUMENT, FILE];
  tried.later();
  expect((await tried.versions()).body.toString()).toBe(`${line}\n`);
  expect((await tried.crate()).body.equals(crate)).toBe(true);
}

const BAD_DOCUMENTS: readonly (readonly [string, Answer, string])[] = [
  ["an error page with status 200", html("<html>Sorry</html>"), "upstream"],
  ["another crate's", sends(line.replace("spam", "eggs")), "upstream"],
  ["half of it", sends(line.slice(0, 40)), "upstream"],
  ["of versions that are paths", sends(line.replace("1.0.0", "../../x")), "upstream"],
  ["of hashes that are none", sends(line.replace(cksum, "abc")), "upstream"],
  ["cut off", sendsRaw("HTTP/1.1 200 OK\nContent-Length: 999\n\n", line), "upstream"],
  ["at a private address", redirect("https://10.0.0.1/"), "address-refused"],
  ["in a circle", redirect("/simple/sp/am/spam"), "upstream"],
];

test.each(BAD_DOCUMENTS)(
  "what an index says of a crate is %s: told, not kept, and no empty answer in its stead",
  async (_is, answer, code) => {
    const tried = await trying([CONFIG, ["/simple/sp/", answer], FILE]);
    expect((await tried.versions()).status).toBe(502);
    const { faults, missing } = tried.endpoint.record();
    expect(missing).toEqual([]);
    expect(faults).toMatchObject([{ code }]);
    await expectUnpoisoned(tried);
  },
);

test.each(BAD_DOCUMENTS)(
  "what an index said of a crate was good and is %s now: the old is served",
  async (_is, answer) => {
    const tried = await trying([CONFIG, DOCUMENT, FILE]);
    await tried.versions();
    tried.up.answers = [CONFIG, ["/simple/sp/", answer], FILE];
    tried.later();
    const got = await tried.versions();
    expect([got.status, got.body.toString()]).toEqual([200, `${line}\n`]);
    expect(got.headers["warning"]).toContain("Stale");
    await expectUnpoisoned(tried);
  },
);

const BAD_CRATES: readonly (readonly [string, Answer, string])[] = [
  ["other bytes", sends(other), "upstream-hash"],
  ["more bytes", sends(Buffer.concat([crate, crate])), "upstream-hash"],
  ["an error page", html("<html>Sorry</html>"), "upstream-hash"],
  ["at a private address", redirect("https://169.254.169.254/"), "address-refused"],
  ["not there", sends("", {}, 404), "upstream"],
];

test.each(BAD_CRATES)(
  "a crate is %s: whole for nobody, told, and not kept",
  async (_is, answer, code) => {
    const tried = await trying([CONFIG, DOCUMENT, ["/dl/", answer]]);
    const got = await tried.crate();
    expect(got.status === 200 && got.whole).toBe(false);
    expect(tried.endpoint.record()).toMatchObject({ crates: [], faults: [{ code }] });
    await expectUnpoisoned(tried);
  },
);

test.each([
  ["an error page with status 200", html("<html>Sorry</html>")],
  ["without a place for crates", sends("{}")],
  ["not there", sends("", {}, 404)],
] as const)("an index's own configuration is %s: told, and not kept", async (_is, answer) => {
  const tried = await trying([["/simple/config.json", answer], DOCUMENT, FILE]);
  expect((await tried.crate()).status).toBe(502);
  expect(tried.endpoint.record().faults).toMatchObject([{ code: "upstream" }]);
  await expectUnpoisoned(tried);
});

test("crates come from no private host that an index names", async () => {
  const dl = '{"dl": "https://10.0.0.1/{crate}/{version}"}';
  const tried = await trying([["/simple/config.json", sends(dl)], DOCUMENT]);
  expect((await tried.crate()).status).toBe(502);
  expect(tried.endpoint.record().faults).toMatchObject([{ code: "address-refused" }]);
  await expectUnpoisoned(tried);
});
