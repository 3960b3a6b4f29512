import { inspect } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import {
  APP_ID,
  GITHUB_TOKEN,
  KNOWN_COMMIT,
  startGithub,
  type FakeGithub,
} from "../../../test/upstream/fake-github.ts";
import type { GivenAnswer } from "../../../test/upstream/https-server.ts";
import type { GithubNotices } from "../../model/config/notify-table.ts";
import type { CommitNotice } from "../change-notice.ts";
import {
  outgoingTo,
  SAMPLE_MS,
  sampleChange,
  sampleCommit,
  sampleUrl,
  secretly,
} from "../notice.sample.ts";
import { githubApi, GithubTarget, type GithubOptions } from "./github-target.ts";

let github: FakeGithub;
beforeAll(async () => {
  github = await startGithub();
  github.nowMs = SAMPLE_MS;
});
afterAll(() => github[Symbol.asyncDispose]());

const never = new AbortController().signal;

function open(notices: Partial<GithubNotices> = {}, more: Partial<GithubOptions> = {}) {
  const target = new GithubTarget({
    project: "hello",
    notices: {
      origin: github.origin,
      path: "octo/hello",
      apiUrl: null,
      kind: "status",
      credentials: { kind: "token", file: "/t" },
      ...notices,
    },
    secret: secretly(GITHUB_TOKEN),
    urlOf: sampleUrl,
    outgoing: outgoingTo(github.ca),
    ...more,
  });
  const send = (notice: Partial<CommitNotice> = {}, isRepeat = false, id = "msg_1") =>
    target.send({ id, notice: sampleCommit(notice), isRepeat, nowMs: github.nowMs }, never);
  return { target, send };
}

const asApp = (key: string) =>
  open(
    { kind: "check", credentials: { kind: "app", id: APP_ID, keyFile: "/k" } },
    { secret: secretly(key) },
  );

describe("a commit status", () => {
  test("says the bad and the good, once for each configuration, and leads to the attempt", async () => {
    const { send } = open();
    expect(await send()).toEqual({ kind: "delivered" });
    expect(await send({ outcome: "pass", cause: null, configuration: "pypy-3.11" })).toEqual({
      kind: "delivered",
    });
    expect(github.statuses.slice(-2)).toEqual([
      {
        sha: KNOWN_COMMIT,
        state: "failure",
        context: "creamery/cpython-3.15",
        description: "3 of 120 tests fail",
        target_url: "https://farm.example/a/a2",
      },
      {
        sha: KNOWN_COMMIT,
        state: "success",
        context: "creamery/pypy-3.11",
        description: "117 tests pass",
        target_url: "https://farm.example/a/a2",
      },
    ]);
  });

  test("has no longer a description than GitHub takes, whatever a package wrote, and no link where the farm has no address", async () => {
    const { send } = open({}, { urlOf: () => null });
    const cause = `dependency-build(${"\u202eevil\n".repeat(200)})`;
    expect(await send({ cause, tests: null })).toEqual({ kind: "delivered" });
    const [last] = github.statuses.slice(-1);
    expect(last).not.toHaveProperty("target_url");
    expect(last?.description).not.toMatch(/[\u202e\n]/u);
  });

  test("of a commit that is not there is refused for good", async () => {
    expect(await open().send({ commit: "f".repeat(40) })).toEqual({
      kind: "refused",
      reason: `answered 422: No commit found for SHA: ${"f".repeat(40)}`,
    });
  });

  test.each<[string, GivenAnswer, object]>([
    [
      "a limit that says for how long",
      { status: 403, headers: { "retry-after": "90" }, body: { message: "slow down" } },
      { afterMs: 90_000, isOfHost: true },
    ],
    [
      "the limit of an hour",
      {
        status: 429,
        headers: {
          "x-ratelimit-remaining": "0",
          "x-ratelimit-reset": String(SAMPLE_MS / 1000 + 1200),
        },
        body: { message: "API rate limit exceeded" },
      },
      { afterMs: 1_200_000, isOfHost: true },
    ],
    [
      "a limit that has passed by this clock",
      {
        status: 403,
        headers: { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1" },
        body: { message: "API rate limit exceeded" },
      },
      { afterMs: 0, isOfHost: true },
    ],
    [
      "a secondary limit that says nothing but its name",
      {
        status: 403,
        headers: { "x-ratelimit-remaining": "4000", "x-ratelimit-reset": "9999999999" },
        body: { message: "You have exceeded a secondary rate limit." },
      },
      { afterMs: 60_000, isOfHost: true },
    ],
    [
      "no permission",
      { status: 403, body: { message: "Resource not accessible by integration" } },
      { afterMs: null, isOfHost: false },
    ],
    ["no such repository", { status: 404, body: { message: "Not Found" } }, { isOfHost: false }],
    ["a fault of its own", { status: 502, body: "<html>" }, { reason: "answered 502" }],
    ["a cut connection", { status: 0, cut: true }, { isOfHost: true }],
    [
      "an answer without end",
      { status: 200, body: "x".repeat(300_000) },
      { reason: "is larger than 262144 bytes" },
    ],
  ])("is tried again after %s", async (_, fault, wanted) => {
    github.faults.push(fault);
    const delivery = await open().send();
    expect(delivery).toMatchObject({ kind: "later", ...wanted });
  });

  test("follows a repository that has moved nowhere, and says what to do", async () => {
    github.faults.push({
      status: 307,
      headers: { location: `${github.origin}/api/v3/repositories/1/statuses/${KNOWN_COMMIT}` },
      body: { message: "Moved Permanently" },
    });
    const before = github.seen.length;
    const delivery = await open().send();
    expect(delivery).toMatchObject({ kind: "later" });
    expect(inspect(delivery)).toContain("name where it is now as notify.github.repository");
    expect(github.seen).toHaveLength(before + 1);
  });

  test("goes to no private address unless the operator allows it, and nothing is sent there", async () => {
    const before = github.seen.length;
    const { send } = open({}, { outgoing: { ...outgoingTo(github.ca), allow: [] } });
    expect(await send()).toMatchObject({
      kind: "later",
      reason: "127.0.0.1 is no address of the public internet",
    });
    expect(github.seen).toHaveLength(before);
  });

  test("shows no token, not even one that GitHub says back", async () => {
    github.faults.push({ status: 401, body: { message: `Bad credentials ${GITHUB_TOKEN}` } });
    const { send, target } = open();
    const delivery = await send();
    expect(delivery).toMatchObject({ reason: "answered 401: Bad credentials ***" });
    expect(inspect({ delivery, target }, { depth: 9 })).not.toContain(GITHUB_TOKEN);
  });

  test("waits where its token can't be read", async () => {
    const secret = () => Promise.reject(new Error("is not there"));
    expect(await open({}, { secret }).send()).toMatchObject({
      kind: "later",
      reason: "is not there",
    });
  });

  test("is of commits alone", async () => {
    const { target } = open();
    const sending = { id: "m", notice: sampleChange(), isRepeat: false, nowMs: SAMPLE_MS };
    expect(await target.send(sending, never)).toMatchObject({ kind: "refused" });
  });
});

describe("a check run", () => {
  test("is made as an app, with one token for as long as that is good", async () => {
    const { send } = asApp(github.appKey);
    const before = github.seen.length;
    expect(await send()).toEqual({ kind: "delivered" });
    expect(await send({ outcome: "pass", cause: null })).toEqual({ kind: "delivered" });
    expect(github.seen.slice(before).map(({ method, path }) => `${method} ${path}`)).toEqual([
      "GET /api/v3/repos/octo/hello/installation",
      "POST /api/v3/app/installations/99/access_tokens",
      "POST /api/v3/repos/octo/hello/check-runs",
      "POST /api/v3/repos/octo/hello/check-runs",
    ]);
    expect(github.checks.slice(-2)).toMatchObject([
      {
        name: "creamery/cpython-3.15",
        head_sha: KNOWN_COMMIT,
        external_id: "msg_1",
        status: "completed",
        conclusion: "failure",
        started_at: "2026-11-24T09:59:00.000Z",
        completed_at: "2026-11-24T10:00:00.000Z",
        details_url: "https://farm.example/a/a2",
        output: { title: "3 of 120 tests fail" },
      },
      { conclusion: "success" },
    ]);
    github.nowMs += 3_600_000;
    expect(await send()).toEqual({ kind: "delivered" });
    expect(github.seen.at(-2)?.path).toContain("access_tokens");
  });

  test("that was made, and nobody heard of it, is not made again", async () => {
    const { send } = asApp(github.appKey);
    await send();
    const before = github.checks.length;
    github.faults.push("lost");
    expect(await send({}, false, "msg_lost")).toMatchObject({ kind: "later" });
    expect(github.checks).toHaveLength(before + 1);
    expect(await send({}, true, "msg_lost")).toEqual({ kind: "delivered" });
    expect(github.checks).toHaveLength(before + 1);
    expect(await send({}, true, "msg_other")).toEqual({ kind: "delivered" });
    expect(github.checks).toHaveLength(before + 2);
  });

  test("has its package's words as text, not as Markdown", async () => {
    const { send } = asApp(github.appKey);
    const cause = "dependency-build(```\n![x](https://evil.example/x.png))";
    expect(await send({ cause, tests: null })).toEqual({ kind: "delivered" });
    const summary = github.checks.at(-1)?.output?.summary ?? "";
    expect(summary.match(/```/gu)).toHaveLength(2);
    expect(summary).toMatch(/^```text\n[^`]*\n```$/u);
  });

  test("waits where a token of no app is all there is, and where the key is none or not the app's", async () => {
    expect(await open({ kind: "check" }).send()).toMatchObject({
      kind: "later",
      reason: "answered 403: You must authenticate via a GitHub App.",
    });
    const secret = "-----BEGIN nothing-----";
    const delivery = await asApp(secret).send();
    expect(delivery).toMatchObject({ kind: "later" });
    expect(inspect(delivery)).toContain("holds no private key");
    expect(inspect(delivery)).not.toContain(secret);
    github.faults.push({ status: 422, body: { message: "Validation Failed" } });
    expect(await asApp(github.appKey).send()).toMatchObject({ kind: "later" });
  });
});

test.each([
  ["https://github.com", "https://api.github.com"],
  ["https://acme.ghe.com", "https://api.acme.ghe.com"],
  ["https://git.example:8443", "https://git.example:8443/api/v3"],
])("the API of %s is at %s", (origin, api) => {
  expect(githubApi({ origin, apiUrl: null })).toBe(api);
  expect(githubApi({ origin, apiUrl: "https://other.example/api" })).toBe(
    "https://other.example/api",
  );
});
