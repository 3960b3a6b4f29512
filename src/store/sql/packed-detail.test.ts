import fc from "fast-check";
import { expect, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import { packDetail, unpackDetail } from "./packed-detail.ts";
import { packDigits, unpackDigits } from "./packed-digits.ts";

const hostile = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "\u0001",
    "\u0002A",
    "\u0003",
    "\u0002",
    "0",
    "007",
    "a".repeat(64),
    "01h",
    "1e400",
  ),
  fc.stringMatching(/^[0-9a-f]{60,140}$/u),
);

test("whatever a result holds comes back as it was", () => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[0-9a-z]{0,16}$/u),
      fc.jsonValue({ stringUnit: "binary" }),
      fc.array(hostile),
      (id, value, texts) => {
        const detail: unknown = JSON.parse(JSON.stringify({ value, texts }));
        expect(unpackDetail(id, packDetail(id, detail))).toEqual(detail);
      },
    ),
  );
});

test("more hashes than have a letter stay what they are", () => {
  const hashes = Array.from({ length: 60 }, (_, index) => String(index).padStart(64, "a"));
  expect(unpackDetail("x", packDetail("x", { hashes, twice: hashes }))).toEqual({
    hashes,
    twice: hashes,
  });
});

test("a usual result takes a small part of its JSON", () => {
  const { id, ...detail } = sampleAttempt({ id: "1m8k6yjn0srdan5p" });
  expect(packDetail(id, detail).length).toBeLessThan(JSON.stringify(detail).length / 3);
});

test("digits come back with their leading zeros, and what was cut is told", () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[0-9]{1,40}$/u), { maxLength: 200 }), (runs) => {
      const packed = packDigits(runs);
      expect(unpackDigits(packed, 0)).toEqual({ runs, end: packed.length });
    }),
  );
  expect(() => unpackDigits(packDigits(["12345"]).subarray(0, 2), 0)).toThrow(RangeError);
  expect(() => unpackDigits(Buffer.alloc(9, 0xff), 0)).toThrow(RangeError);
});

/** Undefined where it was read all the same. */
function inputOfFault(packed: Uint8Array): unknown {
  try {
    unpackDetail("a1", packed);
  } catch (thrown) {
    return thrown instanceof CreameryError && thrown.code === "store" ? thrown.input : thrown;
  }
  return undefined;
}

test("damaged bytes are told with the attempt's id", () => {
  const packed = packDetail("a1", sampleAttempt());
  fc.assert(
    fc.property(fc.nat(packed.length - 1), fc.integer({ min: 1, max: 255 }), (place, change) => {
      const damaged = Buffer.from(packed);
      damaged[place] = (damaged[place] ?? 0) ^ change;
      expect([undefined, "a1"]).toContain(inputOfFault(damaged));
    }),
  );
  expect(() => unpackDetail("a1", Buffer.from([9, 0, 0]))).toThrow("not known here");
  expect(() => unpackDetail("a1", packed.subarray(0, 40))).toThrow("damaged");
});
