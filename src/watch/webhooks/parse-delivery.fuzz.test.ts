import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";

import { FUZZ, FUZZ_TIMEOUT_MS } from "../../../test/properties.ts";
import { NOW_MS, SAMPLES, SECRETS, signedHeaders } from "./deliveries.sample.ts";
import { FORGES } from "./delivery.ts";
import { parseDelivery, type DeliverySetup } from "./parse-delivery.ts";

const setup: DeliverySetup = {
  secrets: SECRETS,
  nowMs: NOW_MS,
  maxBodyBytes: 64 * 1024,
  keepMs: 86_400_000,
};

const headerNames = [
  ...new Set([
    ...SAMPLES.flatMap((sample) => [...signedHeaders(sample).keys()]),
    "content-encoding",
    "transfer-encoding",
  ]),
];
/** Of bytes that a header can have. */
const headerValue = fc.oneof(
  fc.string({
    unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)),
    maxLength: 200,
  }),
  fc.constantFrom(...SAMPLES.flatMap((sample) => [...signedHeaders(sample).values()])),
);
const headers = fc
  .dictionary(fc.constantFrom(...headerNames), headerValue, { maxKeys: 12 })
  .map((entries) => new Headers(entries));
const json = fc.json({ maxDepth: 5 }).map((text) => Buffer.from(text));
const body = fc.oneof(
  fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
  json,
  json.map((text) => Buffer.from(`payload=${encodeURIComponent(text.toString())}`)),
);
const signed = SAMPLES.filter(({ title }) => !/token|generic|ping/u.test(title));

test(
  "whatever is sent to whatever forge's hook without a secret is no push, and nothing is thrown",
  () => {
    fc.assert(
      fc.property(fc.constantFrom(...FORGES), headers, body, (forge, sent, bytes) => {
        // The tokens of the samples are among the headers' values, as those who know one have them.
        const knows = [...sent.values()].some((value) =>
          /^(?:bearer )?it's-a-secret/iu.test(value),
        );
        const { kind } = parseDelivery(forge, sent, bytes, setup);
        expect(["push", "ping", "ignored", "refused"]).toContain(kind);
        expect(kind === "push" && !knows).toBe(false);
      }),
      FUZZ,
    );
  },
  FUZZ_TIMEOUT_MS,
);

test(
  "of a signed delivery nothing can be changed",
  () => {
    const change = fc.record({
      at: fc.nat(),
      kind: fc.constantFrom("flip", "cut", "insert"),
      bits: fc.integer({ min: 1, max: 255 }),
    });
    fc.assert(
      fc.property(fc.constantFrom(...signed), change, (sample, { at, kind, bits }) => {
        const whole = Buffer.from(sample.body);
        const place = at % whole.length;
        const rest = whole.subarray(place + 1);
        const byte = (whole[place] ?? 0) ^ bits;
        const changed = {
          flip: [whole.subarray(0, place), Buffer.from([byte]), rest],
          cut: [whole.subarray(0, place), rest],
          insert: [whole.subarray(0, place), Buffer.from([bits]), whole.subarray(place)],
        }[kind];
        const forged = Buffer.concat(changed ?? []);
        const delivery = parseDelivery(sample.forge, signedHeaders(sample), forged, setup);
        // An escape of a form may be written in another way: then what it means is still what was signed.
        const same = sample.forge !== "github" && sample.title.includes("form");
        const asSigned = parseDelivery(sample.forge, signedHeaders(sample), whole, setup);
        expect(delivery).toSatisfy(
          () => delivery.kind === "refused" || (same && isDeepStrictEqual(delivery, asSigned)),
        );
      }),
      FUZZ,
    );
  },
  FUZZ_TIMEOUT_MS,
);

test(
  "of a signature nothing can be changed",
  () => {
    const names =
      /^(?:x-hub-signature(?:-256)?|x-(?:gitea|forgejo)-signature|webhook-(?:signature|id|timestamp))$/u;
    fc.assert(
      fc.property(
        fc.constantFrom(...signed),
        fc.nat(),
        fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 3 }),
        (sample, at, text) => {
          const sent = signedHeaders(sample);
          const counting = [...sent.keys()].filter(
            (name) =>
              names.test(name) &&
              (sample.forge === "bitbucket" || name !== "x-hub-signature") &&
              (sample.forge !== "gitea" && sample.forge !== "forgejo"
                ? true
                : name === `x-${sample.forge}-signature`),
          );
          const name = counting[at % counting.length] ?? "";
          const value = sent.get(name) ?? "";
          const place = at % value.length;
          const changed = value.slice(0, place) + text + value.slice(place + text.length);
          sent.set(name, changed);
          const delivery = parseDelivery(sample.forge, sent, Buffer.from(sample.body), setup);
          // A header's edges lose their spaces.
          const isSame = sent.get(name) === value;
          expect(delivery.kind).toBe(isSame ? sample.kind : "refused");
        },
      ),
      FUZZ,
    );
  },
  FUZZ_TIMEOUT_MS,
);

test(
  "what a secret's holder sends is read without a throw, whatever it is",
  () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...SAMPLES),
        fc.oneof(
          body,
          fc.constantFrom(...SAMPLES).map((sample) => Buffer.from(sample.body)),
        ),
        headers,
        (sample, bytes, more) => {
          const sent = signedHeaders(sample, bytes);
          for (const [name, value] of more) if (!sent.has(name)) sent.set(name, value);
          const { kind } = parseDelivery(sample.forge, sent, bytes, setup);
          expect(["push", "ping", "ignored", "refused"]).toContain(kind);
        },
      ),
      FUZZ,
    );
  },
  FUZZ_TIMEOUT_MS,
);
