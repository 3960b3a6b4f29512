import { readFileSync } from "node:fs";
import { inspect } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";

import {
  startHttps,
  type GivenAnswer,
  type HttpsServer,
  type SeenRequest,
} from "../../../test/upstream/https-server.ts";
import { Secret } from "../../base/secret.ts";
import { authenticateStandard, signStandard } from "../../watch/webhooks/standard-webhooks.ts";
import type { ChangeNotice } from "../change-notice.ts";
import { outgoingTo, SAMPLE_MS, sampleChange, sampleUrl, secretly } from "../notice.sample.ts";
import { WebhookPayload, webhookSchema } from "./webhook-payload.ts";
import { WebhookTarget, type WebhookOptions } from "./webhook-target.ts";

const SECRET = `whsec_${Buffer.from("a key of twenty-four bytes").toString("base64")}`;
const PATH = "/services/T0/aSecretPath?token=aSecretQuery";

let server: HttpsServer;
let answer: GivenAnswer = { status: 204 };
const seen: SeenRequest[] = [];
beforeAll(async () => {
  server = await startHttps((request) => {
    seen.push(request);
    return answer;
  });
});
afterAll(() => server[Symbol.asyncDispose]());

function send(
  change: Partial<ChangeNotice> = {},
  more: Partial<WebhookOptions> = {},
  nowMs = SAMPLE_MS,
) {
  const target = new WebhookTarget({
    project: "hello",
    url: `${server.origin}${PATH}`,
    secret: secretly(SECRET),
    urlOf: sampleUrl,
    outgoing: outgoingTo(server.ca),
    ...more,
  });
  const sending = { id: "msg_01", notice: sampleChange(change), isRepeat: false, nowMs };
  return target.send(sending, new AbortController().signal);
}

test("Standard Webhooks' own example is signed as it stands there", () => {
  // https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
  const secret = new Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  const id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
  expect(signStandard(secret, id, 1_614_265_330_000, '{"test": 2432232314}')).toEqual({
    "webhook-id": id,
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  });
});

test.each([SECRET, "a-secret-that-is-no-base64"])(
  "a change is posted signed, and says all that it is about",
  async (text) => {
    answer = { status: 204 };
    expect(await send({}, { secret: secretly(text) })).toEqual({ kind: "delivered" });
    const last = seen.at(-1);
    if (last === undefined) throw new Error("nothing came");
    const { method, path, headers, body } = last;
    expect([method, path, headers["content-type"]]).toEqual(["POST", PATH, "application/json"]);
    const secrets = [{ secret: new Secret(text), host: "" }];
    const checked = authenticateStandard({
      headers: new Headers(z.record(z.string(), z.string()).parse(headers)),
      body: Buffer.from(body),
      secrets,
      nowMs: SAMPLE_MS,
    });
    expect(checked).toMatchObject({ kind: "authentic", sentAtMs: SAMPLE_MS, idSigned: true });
    expect(headers["webhook-id"]).toBe("msg_01");
    expect(WebhookPayload.parse(JSON.parse(body))).toEqual({
      type: "verdict.changed",
      timestamp: "2026-11-24T10:00:00.000Z",
      data: {
        project: "hello",
        version: "1.1",
        branch: null,
        configuration: "cpython-3.15",
        kind: "broke",
        outcome: "fail",
        cause: "removed-api(distutils)",
        root: "removed-api(distutils)",
        sentence:
          "hello 1.1 fails on cpython-3.15: it uses distutils, which Python no longer has; 1.0 passed",
        attempt: { id: "a2", url: "https://farm.example/a/a2" },
        before: { id: "a1", version: "1.0", url: "https://farm.example/a/a1" },
      },
    });
  },
);

test.each<[Partial<ChangeNotice>, string]>([
  [{ kind: "fixed", outcome: "pass", cause: null }, "hello 1.1 passes on cpython-3.15 again"],
  [
    { kind: "changed", cause: "timeout", line: "refs/heads/main", version: "1.1.dev3" },
    "hello 1.1.dev3 (main) fails on cpython-3.15 for another reason: it ran longer than it may",
  ],
])("%j is told in a sentence", async (change, sentence) => {
  await send(change, { urlOf: () => null });
  const { data } = WebhookPayload.parse(JSON.parse(seen.at(-1)?.body ?? ""));
  expect(data).toMatchObject({ sentence, attempt: { url: null }, before: { url: null } });
});

test("the same is sent again under the same id and signed anew", async () => {
  await send();
  await send({}, {}, SAMPLE_MS + 600_000);
  const [one, other] = seen.slice(-2);
  expect(one?.body).toBe(other?.body);
  expect(one?.headers["webhook-id"]).toBe(other?.headers["webhook-id"]);
  expect(Number(other?.headers["webhook-timestamp"])).toBe(SAMPLE_MS / 1000 + 600);
});

test.each<[GivenAnswer, object]>([
  [{ status: 200, body: "ok" }, { kind: "delivered" }],
  [{ status: 410 }, { kind: "refused", reason: "answered 410: it wants no more" }],
  [
    { status: 404, body: SECRET },
    { kind: "later", reason: "answered 404", isOfHost: false },
  ],
  [{ status: 500 }, { kind: "later", reason: "answered 500" }],
  [
    { status: 429, headers: { "retry-after": "120" } },
    { afterMs: 120_000, isOfHost: true },
  ],
  [
    { status: 0, cut: true },
    { kind: "later", isOfHost: true },
  ],
])("%j is told from the others", async (given, wanted) => {
  answer = given;
  expect(await send()).toMatchObject(wanted);
});

test("a redirect is not followed, wherever it leads", async () => {
  answer = { status: 308, headers: { location: `${server.origin}/elsewhere` } };
  const before = seen.length;
  expect(await send()).toMatchObject({
    kind: "later",
    reason: "answered 308: redirects are not followed",
  });
  expect(seen).toHaveLength(before + 1);
});

test.each([
  "https://127.0.0.1:1/x",
  "https://[::1]:1/x",
  "https://localhost:1/x",
  "https://10.0.0.1/x",
])("%s is a private address: refused before anything is sent", async (url) => {
  const outgoing = { ...outgoingTo(server.ca), allow: [] };
  const delivery = await send({}, { url, outgoing });
  expect(delivery).toMatchObject({ kind: "later" });
  expect(inspect(delivery)).toContain("no address of the public internet");
});

test("neither secret nor what stands in its path is ever in what is told", async () => {
  const told: unknown[] = [];
  for (const given of [
    { status: 500, body: SECRET },
    { status: 0, cut: true },
    { status: 200, body: "x".repeat(300_000) },
  ]) {
    answer = given;
    told.push(await send());
  }
  told.push(await send({}, { outgoing: { ...outgoingTo(server.ca), allow: [] } }));
  told.push(await send({}, { outgoing: { allow: ["127.0.0.1"], ca: async () => undefined } }));
  const secret = () => Promise.reject(new Error("can't be read"));
  told.push(await send({}, { secret }));
  expect(told).toHaveLength(6);
  for (const one of told) expect(one).toMatchObject({ kind: "later" });
  expect(inspect(told, { depth: 9 })).not.toMatch(/whsec_|aSecret/u);
});

test("docs/notice.schema.json is what is sent", () => {
  const path = new URL("../../../docs/notice.schema.json", import.meta.url);
  // To publish a change: print webhookSchema() into docs/notice.schema.json.
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual(webhookSchema());
});
