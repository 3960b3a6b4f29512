import { inspect } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";

import {
  GITLAB_COMMIT,
  GITLAB_TOKEN,
  startGitlab,
  type FakeGitlab,
} from "../../../test/upstream/fake-gitlab.ts";
import type { GivenAnswer } from "../../../test/upstream/https-server.ts";
import type { CommitNotice } from "../change-notice.ts";
import { outgoingTo, SAMPLE_MS, sampleCommit, sampleUrl, secretly } from "../notice.sample.ts";
import { GitlabTarget, type GitlabOptions } from "./gitlab-target.ts";

let gitlab: FakeGitlab;
beforeAll(async () => {
  gitlab = await startGitlab();
});
afterAll(() => gitlab[Symbol.asyncDispose]());

function send(notice: Partial<CommitNotice> = {}, more: Partial<GitlabOptions> = {}) {
  const target = new GitlabTarget({
    project: "hello",
    notices: { origin: gitlab.origin, path: "group/sub/hello", apiUrl: null },
    token: secretly(GITLAB_TOKEN),
    urlOf: sampleUrl,
    outgoing: outgoingTo(gitlab.ca),
    ...more,
  });
  const sending = {
    id: "msg_1",
    notice: sampleCommit({ commit: GITLAB_COMMIT, ...notice }),
    isRepeat: false,
    nowMs: SAMPLE_MS,
  };
  return target.send(sending, new AbortController().signal);
}

test("a commit's pipeline gets a status for each configuration, the bad and the good, on its branch", async () => {
  expect(await send()).toEqual({ kind: "delivered" });
  const passed = { outcome: "pass", cause: null, line: "refs/tags/v1.0" } as const;
  expect(await send(passed, { urlOf: () => null })).toEqual({ kind: "delivered" });
  expect(gitlab.statuses.slice(-2)).toEqual([
    {
      sha: GITLAB_COMMIT,
      state: "failed",
      name: "creamery/cpython-3.15",
      description: "3 of 120 tests fail",
      ref: "main",
      target_url: "https://farm.example/a/a2",
    },
    {
      sha: GITLAB_COMMIT,
      state: "success",
      name: "creamery/cpython-3.15",
      description: "117 tests pass",
      ref: "v1.0",
    },
  ]);
});

test("what GitLab would find too long is shorter", async () => {
  const cause = `dependency-build(${"x".repeat(400)})`;
  const urlOf = () => `https://farm.example/${"a".repeat(300)}`;
  expect(await send({ cause, tests: null, configuration: "c".repeat(300) }, { urlOf })).toEqual({
    kind: "delivered",
  });
});

test.each<[string, GivenAnswer, object]>([
  [
    "429 with a time",
    { status: 429, headers: { "retry-after": "30" }, body: "Retry later" },
    { kind: "later", afterMs: 30_000, isOfHost: true },
  ],
  [
    "403",
    { status: 403, body: { message: "403 Forbidden" } },
    { kind: "later", reason: "answered 403: 403 Forbidden", isOfHost: false },
  ],
  ["404", { status: 404, body: { error: "404 Not Found" } }, { kind: "later" }],
  ["503", { status: 503, body: "<html>" }, { kind: "later", reason: "answered 503" }],
  [
    "400",
    { status: 400, body: { message: { state: ["is invalid"] } } },
    { kind: "refused", reason: 'answered 400: {"state":["is invalid"]}' },
  ],
  [
    "a redirect",
    { status: 301, headers: { location: "https://127.0.0.1:1/" } },
    {
      kind: "later",
      reason: "answered 301: it has moved; name where it is now as notify.gitlab.repository",
    },
  ],
  ["a cut connection", { status: 0, cut: true }, { kind: "later", isOfHost: true }],
])("%s is told from the others", async (_, fault, wanted) => {
  gitlab.faults.push(fault);
  const before = gitlab.seen.length;
  expect(await send()).toMatchObject(wanted);
  expect(gitlab.seen).toHaveLength(before + 1);
});

test("a token that is not good waits for a better one, and is not shown", async () => {
  expect(await send({}, { token: secretly("glpat-somethingElse") })).toMatchObject({
    kind: "later",
    reason: "answered 401: 401 Unauthorized",
  });
  gitlab.faults.push({ status: 401, body: { message: `no: ${GITLAB_TOKEN}` } });
  expect(inspect(await send())).not.toContain(GITLAB_TOKEN);
});
