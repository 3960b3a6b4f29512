import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";

import { arrive, posted, sampleFarm, type SampleFarm } from "./farm.sample.ts";

const { signal } = new AbortController();

let farm: SampleFarm;
beforeEach(async () => {
  farm = await sampleFarm();
});
afterEach(async () => {
  const [failure] = farm.failures;
  await farm[Symbol.asyncDispose]();
  if (failure !== undefined) throw failure;
});

const Body = z.record(z.string(), z.unknown());

async function get(path: string, as?: string) {
  const answer = await farm.ask(path, as === undefined ? {} : { as });
  const body = Body.parse(await answer.json());
  return { status: answer.status, body, headers: answer.headers };
}

const nextOf = (body: Record<string, unknown>): string => z.string().parse(body["next"]);
const Named = z.array(z.object({ name: z.string() }));
const WithId = z.array(z.object({ id: z.string() }));

test("projects come page by page, in the order of their names, whatever is added meanwhile", async () => {
  for (const project of ["attrs", "click", "idna", "six", "zope-interface"])
    await farm.record({ project });
  const first = await get("/projects?limit=2");
  expect(Named.parse(first.body["projects"]).map(({ name }) => name)).toEqual(["attrs", "click"]);
  await farm.record({ project: "bottle" });
  await farm.record({ project: "docutils" });
  const second = await get(`/projects?limit=2&cursor=${nextOf(first.body)}`);
  expect(Named.parse(second.body["projects"]).map(({ name }) => name)).toEqual([
    "docutils",
    "idna",
  ]);
  const last = await get("/projects?prefix=Zope.Inter");
  expect(last.body).toMatchObject({ projects: [{ name: "zope-interface" }], next: null });
  expect((await get("/projects?prefix=zzz")).body).toEqual({ projects: [], next: null });
});

test("attempts come newest first, each once, while others are being added", async () => {
  const ids: string[] = [];
  for (let index = 0; index < 7; index++) {
    farm.nowMs += 1000;
    ids.push(await farm.record({ version: `1.${index}` }));
  }
  const seen: string[] = [];
  let cursor = "";
  for (;;) {
    const { body } = await get(`/attempts?limit=3${cursor}`);
    seen.push(...WithId.parse(body["results"]).map(({ id }) => id));
    farm.nowMs += 1000;
    await farm.record({ version: "9" });
    if (body["next"] === null) break;
    cursor = `&cursor=${nextOf(body)}`;
  }
  expect(seen).toEqual(ids.toReversed());
});

test.each([
  ["outcome=pass", ["pass"]],
  ["project=Attrs", ["attrs"]],
  ["configuration=pypy-3.11", ["pypy"]],
  ["project=mine&version=2.0", ["two"]],
  ["project=attrs&outcome=pass", []],
  ["project=%00", []],
])("attempts with %s alone are shown", async (query, wanted) => {
  const ids = {
    pass: await farm.record({ outcome: "pass", cause: null }),
    attrs: await farm.record({ project: "attrs" }),
    pypy: await farm.record({ configuration: "pypy-3.11" }),
    two: await farm.record({ version: "2.0" }),
  };
  const found = WithId.parse((await get(`/attempts?${query}`)).body["results"]);
  const names = Object.entries(ids).filter(([, id]) => found.some((one) => one.id === id));
  expect(names.map(([name]) => name)).toEqual(wanted);
  expect(found.length).toBe(wanted.length);
});

test("a project shows its newest result on each configuration, a release those of its own", async () => {
  for (const [version, configuration, outcome] of [
    ["1.0", "cpython-3.9", "pass"],
    ["1.0", "cpython-3.13", "pass"],
    ["2.0", "cpython-3.13", "fail"],
  ] as const) {
    farm.nowMs += 1000;
    await farm.record({
      version,
      configuration,
      outcome,
      cause: outcome === "pass" ? null : "timeout",
    });
  }
  farm.nowMs += 1000;
  const confirmed = { reason: "confirm", of: "x" } as const;
  await farm.record({ version: "2.0", configuration: "cpython-3.13", outcome: "crash" }, confirmed);
  expect((await get("/projects/Mine")).body).toMatchObject({
    name: "mine",
    results: [
      { version: "1.0", configuration: "cpython-3.9", outcome: "pass" },
      { version: "2.0", configuration: "cpython-3.13", outcome: "fail", cause: "timeout" },
    ],
  });
  expect((await get("/releases/mine/1.0")).body["results"]).toMatchObject([
    { configuration: "cpython-3.9" },
    { configuration: "cpython-3.13", outcome: "pass" },
  ]);
  expect((await get("/projects/mine/releases")).body).toMatchObject({
    releases: [
      { version: "2.0", attempts: 2 },
      { version: "1.0", attempts: 2 },
    ],
    next: null,
  });
  expect(await get("/releases/mine/3.0")).toMatchObject({
    status: 404,
    body: { code: "unknown-version", input: "mine 3.0" },
  });
});

test("an attempt is shown whole, and says nothing of where the farm keeps it", async () => {
  const id = await farm.record({
    log: "/var/lib/creamery/bucket/attempts/x/log.txt",
    report: "/var/lib/creamery/bucket/attempts/x/report.json",
  });
  const { body, headers } = await get(`/attempts/${id}`);
  expect(body["attempt"]).toMatchObject({
    id,
    log: `/api/v1/attempts/${id}/log`,
    report: `/api/v1/attempts/${id}/assets/report.json`,
    evidence: { lock: null },
  });
  expect(JSON.stringify(body)).not.toContain("/var/lib");
  expect(headers.get("etag")).toMatch(/^"/u);
  const again = await farm.ask(`/attempts/${id}`, {
    headers: { "if-none-match": headers.get("etag") ?? "" },
  });
  expect([again.status, await again.text()]).toEqual([304, ""]);
});

test("a list has a weak ETag that changes with it", async () => {
  await farm.record({ project: "attrs" });
  const { headers } = await get("/projects");
  const etag = headers.get("etag") ?? "";
  expect(etag).toMatch(/^W\/"/u);
  const again = () => farm.ask("/projects", { headers: { "if-none-match": `"x", ${etag}` } });
  expect((await again()).status).toBe(304);
  await farm.record({ project: "six" });
  expect((await again()).status).toBe(200);
});

test("what is answered to one who shows a token is kept by no shared cache", async () => {
  const as = await farm.token(["read-private"]);
  expect((await get("/projects", as)).headers.get("cache-control")).toBe("private, no-cache");
  expect((await get("/projects")).headers.get("vary")).toBe("authorization, cookie");
});

test("tests that did not pass are listed by name", async () => {
  const results = ["t::c", "t::a", "t::b"].map((id) => ({
    id,
    outcome: "failed" as const,
    seconds: 0,
    message: `of ${id}`,
  }));
  const id = await farm.record({}, { results });
  const first = await get(`/attempts/${id}/failures?limit=2`);
  expect(first.body["failures"]).toEqual([
    { id: "t::a", outcome: "failed", message: "of t::a" },
    { id: "t::b", outcome: "failed", message: "of t::b" },
  ]);
  const rest = await get(`/attempts/${id}/failures?limit=2&cursor=${nextOf(first.body)}`);
  expect(rest.body).toMatchObject({ failures: [{ id: "t::c" }], next: null });
});

test.each([
  ["", 200, "0123456789"],
  ["bytes=2-4", 206, "234"],
  ["bytes=-3", 206, "789"],
  ["bytes=7-", 206, "789"],
  ["bytes=10-", 416, undefined],
  ["chunks=1-2", 200, "0123456789"],
])("a log asked for with range %j is answered %i", async (range, status, text) => {
  const id = await farm.record({});
  await farm.bucket.create(`attempts/${id}/log.txt`, Buffer.from("0123456789"), {
    signal,
    compression: "gzip",
  });
  const answer = await farm.ask(`/attempts/${id}/log`, {
    headers: range === "" ? {} : { range },
  });
  expect(answer.status).toBe(status);
  const body = await answer.text();
  expect(status === 416 ? body.length : body).toEqual(text ?? body.length);
  expect(answer.headers.get("content-length")).toBe(text === undefined ? null : `${text.length}`);
});

test("a log is text that no browser obeys, and is not sent again to who has it", async () => {
  const id = await farm.record({});
  await farm.bucket.create(`attempts/${id}/log.txt`, Buffer.from("<script>"), {
    signal,
    compression: "gzip",
  });
  const answer = await farm.ask(`/attempts/${id}/log`);
  expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(answer.headers.get("content-security-policy")).toContain("sandbox");
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  const headers = { "if-none-match": answer.headers.get("etag") ?? "" };
  expect((await farm.ask(`/attempts/${id}/log`, { headers })).status).toBe(304);
});

test("what is kept of an attempt is listed, and given to be saved", async () => {
  const id = await farm.record({});
  await farm.bucket.create(`attempts/${id}/report.json`, Buffer.from("{}"), {
    signal,
    compression: "gzip",
  });
  expect((await get(`/attempts/${id}/assets`)).body["assets"]).toMatchObject([
    { name: "report.json", sizeBytes: 2 },
  ]);
  const answer = await farm.ask(`/attempts/${id}/assets/report.json`);
  expect(await answer.text()).toBe("{}");
  expect(answer.headers.get("content-disposition")).toBe('attachment; filename="report.json"');
  for (const name of ["log.txt", "..", "%2e%2e%2fother", "a%00b"])
    expect((await farm.ask(`/attempts/${id}/assets/${name}`)).status).toBe(404);
});

test.each([
  ["/projects?limit=0", "query.limit"],
  ["/projects?limit=201", "query.limit"],
  ["/projects?limit=x", "query.limit"],
  ["/projects?limt=5", "limt"],
  ["/projects?cursor=x", "query.cursor"],
  ["/attempts?version=1.0", "name its project"],
  ["/attempts?outcome=good", "query.outcome"],
  ["/projects?prefix=a%25", "query.prefix"],
])("%s is told what is wrong with it", async (path, place) => {
  const { status, body, headers } = await get(path);
  expect(status).toBe(400);
  expect(headers.get("content-type")).toBe("application/problem+json");
  expect(body).toMatchObject({ type: "about:blank", title: "Bad Request", status: 400 });
  expect(body["detail"]).toContain(place);
});

test("a cursor of one list is none of another", async () => {
  for (const project of ["attrs", "click"]) await farm.record({ project });
  const { body } = await get("/projects?limit=1");
  expect((await get(`/attempts?cursor=${nextOf(body)}`)).status).toBe(400);
});

test("what is not there is told in the same words as what is private", async () => {
  const id = await farm.record({ project: "secret" }, { visibility: "private" });
  const key = await farm.enqueue("secret", { visibility: "private" });
  for (const [there, nowhere] of [
    ["/projects/secret", "/projects/nothere"],
    ["/projects/secret/releases", "/projects/nothere/releases"],
    ["/releases/secret/1.0", "/releases/nothere/1.0"],
    [`/attempts/${id}`, "/attempts/nothere"],
    [`/attempts/${id}/log`, "/attempts/nothere/log"],
    [`/attempts/${id}/log/live`, "/attempts/nothere/log/live"],
    [`/jobs/${key}`, "/jobs/nothere"],
    [`/jobs/${key}/events`, "/jobs/nothere/events"],
  ] as const) {
    const [private_, none] = [await get(there), await get(nowhere)];
    expect([there, private_.status]).toEqual([there, 404]);
    const blur = (body: unknown) =>
      JSON.stringify(body)
        .replaceAll(id, "X")
        .replaceAll(key, "X")
        .replaceAll(/secret|nothere/gu, "X");
    expect(blur(private_.body)).toBe(blur(none.body));
    const reader = await farm.token(["read-private"]);
    const answer = await farm.ask(there, { as: reader });
    expect([there, answer.status === 404 && !there.endsWith("/log")]).toEqual([there, false]);
    await answer.body?.cancel();
  }
});

test("what the farm itself failed in is its log's, not a stranger's", async () => {
  const broken = new Error("password is hunter2");
  farm.bucket.onOperation = () => {
    throw broken;
  };
  const id = await farm.record({});
  const { status, body } = await get(`/attempts/${id}/log`);
  expect(status).toBe(500);
  expect(JSON.stringify(body)).not.toContain("hunter2");
  expect(farm.failures.splice(0)).toEqual([broken]);
});

test("hosts and status are for operators, and a token that is bound to projects is not one of the farm's", async () => {
  await arrive(farm, "one");
  const operator = await farm.token(["operate"]);
  expect((await get("/hosts", operator)).body).toMatchObject({
    hosts: [{ name: "one", slots: 2, cores: 4, state: "active" }],
  });
  expect((await get("/status", operator)).body).toMatchObject({ latency: { p50: 95 } });
  const bound = await farm.token(["operate"], { projects: ["six"] });
  const reader = await farm.token(["read-private"]);
  for (const path of ["/hosts", "/status"]) {
    expect((await get(path)).status).toBe(401);
    expect((await get(path, reader)).status).toBe(403);
    expect((await get(path, bound)).status).toBe(403);
  }
});

test("a host drains, and takes jobs again, and the record says who had it so", async () => {
  await arrive(farm, "one");
  const as = await farm.token(["operate"], { name: "ops" });
  const drained = await farm.ask("/hosts/one/drain", { as, ...posted({ reason: "new disk" }) });
  expect(await drained.json()).toMatchObject({ state: "draining", reason: "new disk" });
  const resumed = await farm.ask("/hosts/one/resume", { as, method: "POST" });
  expect(await resumed.json()).toMatchObject({ state: "active", reason: null });
  expect((await farm.ask("/hosts/two/resume", { as, method: "POST" })).status).toBe(404);
  const reader = await farm.token(["read-private"]);
  expect((await farm.ask("/hosts/one/drain", { as: reader, ...posted({}) })).status).toBe(403);
  expect((await farm.ask("/hosts/one/drain", posted({}))).status).toBe(401);
  const admin = await farm.token(["admin"]);
  expect((await get("/audit", admin)).body["records"]).toMatchObject([
    { outcome: "refused", by: { name: "who has read-private" }, subject: "host one" },
    { outcome: "failed", subject: "host two" },
    { outcome: "done", detail: "takes jobs again" },
    { outcome: "done", detail: "draining: new disk", by: { name: "ops" }, address: "127.0.0.1" },
  ]);
});

test("an admin makes a principal whose token is good, is shown once, and is revoked", async () => {
  const as = await farm.token(["admin"]);
  const wanted = { kind: "program", name: "ci", scopes: ["enqueue"], projects: ["Mine"] };
  const made = await farm.ask("/principals", { as, ...posted(wanted) });
  expect(made.headers.get("cache-control")).toBe("no-store");
  const { principal, token } = z
    .object({ principal: z.object({ id: z.string() }), token: z.string() })
    .parse(await made.json());
  const listed = JSON.stringify((await get("/principals", as)).body);
  expect(listed).toContain(principal.id);
  expect(listed).not.toContain(token);
  const enqueue = async (word: string) =>
    (await farm.ask("/jobs", { as: `Bearer ${token}`, ...posted({ targets: [word] }) })).status;
  expect([await enqueue("mine"), await enqueue("other")]).toEqual([200, 403]);
  expect(
    (await farm.ask(`/principals/${principal.id}/revoke`, { as, method: "POST" })).status,
  ).toBe(200);
  expect(await enqueue("mine")).toBe(401);
  const record = JSON.stringify((await get("/audit", as)).body);
  expect(record).toContain('made program \\"ci\\" with enqueue');
  expect(record).not.toContain(token);
  const operator = await farm.token(["operate"]);
  for (const [path, init] of [
    ["/principals", {}],
    ["/audit", {}],
    ["/principals", posted(wanted)],
    [`/principals/${principal.id}/revoke`, { method: "POST" }],
  ] as const)
    expect((await farm.ask(path, { as: operator, ...init })).status).toBe(403);
});

test.each([
  [{ kind: "worker", name: "w", scopes: ["operate"] }],
  [{ kind: "person", name: "p", scopes: ["worker"] }],
  [{ kind: "person", name: "p", scopes: [] }],
  [{ kind: "person", name: "a\nb", scopes: ["operate"] }],
  [{ kind: "person", name: "p", scopes: ["operate"], projects: ["no name!"] }],
  [{ kind: "person", name: "p", scopes: ["operate"], expiresAt: "2020-01-01T00:00:00Z" }],
  [{ kind: "person", name: "p", scopes: ["operate"], more: 1 }],
])("no principal is made of %j", async (wanted) => {
  const as = await farm.token(["admin"]);
  expect((await farm.ask("/principals", { as, ...posted(wanted) })).status).toBe(400);
});

test.each([
  [{ headers: { "content-type": "text/plain" }, body: "{}" }, 415],
  [{ body: "{}" }, 415],
  [{ headers: { "content-type": "application/json" }, body: "{" }, 400],
  [{ headers: { "content-type": "application/json" }, body: "" }, 400],
  [{ headers: { "content-type": "application/json" }, body: `"${"x".repeat(70_000)}"` }, 413],
])("a body that can't be taken is told so (%#)", async (init, status) => {
  const as = await farm.token(["enqueue"]);
  const answer = await farm.ask("/jobs", { as, method: "POST", ...init });
  expect(answer.status).toBe(status);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
});

test("what is mounted beside it is left alone", async () => {
  expect(await (await farm.ask("/images/x/archive")).text()).toBe("elsewhere");
  expect((await get("/images")).body).toEqual({ images: [] });
});

test("the document names every route, and its page obeys nothing", async () => {
  const { body } = await get("/openapi.json");
  const paths = z.record(z.string(), Body).parse(body["paths"]);
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  const routed = farm.api.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method.toLowerCase()} ${path.replaceAll(/:(\w+)/gu, "{$1}")}`)
    .filter((route) => !/ \/(?:openapi\.json|docs)$/u.test(route));
  expect(new Set(described)).toEqual(new Set(routed));
  const page = await farm.ask("/docs");
  const html = await page.text();
  expect(page.headers.get("content-security-policy")).toMatch(
    /^default-src 'none'; style-src 'sha256-/u,
  );
  expect(html).not.toMatch(/<script|<img|<link|(?:src|href)="(?!#|\/api\/v1\/)|\son\w+=/iu);
  for (const path of Object.keys(paths)) expect(html).toContain(`/api/v1${path}`);
});
