import fc from "fast-check";
import { expect, test } from "vitest";

import { FUZZ, FUZZ_TIMEOUT_MS } from "../../test/properties.ts";
import { SAMPLES, signedHeaders } from "../watch/webhooks/deliveries.sample.ts";
import { FORGES } from "../watch/webhooks/delivery.ts";
import { sampleFarm } from "./webhooks.sample.ts";

const ANSWERS = new Set([200, 202, 400, 401, 403, 404, 405, 409, 413, 415, 429]);

const names = [
  ...new Set([
    ...SAMPLES.flatMap((sample) => [...signedHeaders(sample).keys()]),
    "content-encoding",
  ]),
].filter((name) => name !== "authorization" && name !== "x-gitlab-token");
const headers = fc
  .dictionary(
    fc.oneof(fc.constantFrom(...names), fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/u)),
    fc
      .string({ unit: "binary-ascii", maxLength: 100 })
      .map((text) => text.replaceAll(/[^\u0020-\u007e]/gu, "")),
    { maxKeys: 10 },
  )
  .map((entries) =>
    Object.entries(entries).filter(
      ([name]) => name !== "authorization" && name !== "x-gitlab-token",
    ),
  );
const segment = fc.oneof(
  fc.constantFrom(...FORGES, "hello", "..", "%00", "%ff", "%2e%2e"),
  fc.string({ maxLength: 12 }).map((text) => encodeURIComponent(text.toWellFormed())),
);
const path = fc.array(segment, { maxLength: 3 }).map((parts) => `/${parts.join("/")}`);
const body = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text)),
  fc.constantFrom(...SAMPLES).map((sample) => Buffer.from(sample.body)),
);

test(
  "whatever a stranger sends is answered, is no fault of the farm, and queues nothing",
  async () => {
    const farm = sampleFarm();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("POST", "POST", "POST", "GET", "PUT", "DELETE"),
        path,
        headers,
        body,
        async (method, to, sent, bytes) => {
          const answer = await farm.app.request(to, {
            method,
            headers: sent,
            ...(method === "GET" ? {} : { body: bytes }),
          });
          expect(ANSWERS).toContain(answer.status);
          expect(answer.status).not.toBe(202);
        },
      ),
      FUZZ,
    );
    expect(farm.queued).toEqual([]);
  },
  FUZZ_TIMEOUT_MS,
);

test(
  "whatever a forge whose secret is right sends is answered, is no fault of the farm, and clones no other address",
  async () => {
    const farm = sampleFarm();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SAMPLES),
        fc.constantFrom("", "/hello", "/other"),
        fc.oneof(body, fc.constantFrom(null)),
        async (sample, project, bytes) => {
          const sent = bytes ?? Buffer.from(sample.body);
          const answer = await farm.app.request(`/${sample.forge}${project}`, {
            method: "POST",
            headers: signedHeaders(sample, sent),
            body: sent,
          });
          expect(ANSWERS).toContain(answer.status);
        },
      ),
      FUZZ,
    );
    expect(new Set(farm.queued.map(({ repository }) => repository.url))).toEqual(
      new Set(["https://git.example/octo/hello"]),
    );
  },
  FUZZ_TIMEOUT_MS,
);
