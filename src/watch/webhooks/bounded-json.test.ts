import fc from "fast-check";
import { expect, test } from "vitest";

import { parseBoundedJson } from "./bounded-json.ts";

const nested = (depth: number): Buffer => Buffer.from("[".repeat(depth) + "]".repeat(depth));

test("what is nested as deep as the bound is read, one level more is not", () => {
  expect(parseBoundedJson(nested(64)).kind).toBe("ok");
  expect(parseBoundedJson(nested(65))).toEqual({
    kind: "bad",
    reason: "the JSON is nested deeper than 64 levels",
  });
  expect(parseBoundedJson(Buffer.from(`${'{"a":'.repeat(65)}1${"}".repeat(65)}`)).kind).toBe("bad");
});

test("brackets within strings are no levels", () => {
  const text = JSON.stringify({ message: `${"[{".repeat(200)} \\" \\\\`, "[[": ['"', "\\"] });
  expect(parseBoundedJson(Buffer.from(text), 2).kind).toBe("ok");
  expect(parseBoundedJson(Buffer.from(text), 1).kind).toBe("bad");
});

test("bytes that are no UTF-8 are not read as if they were", () => {
  expect(parseBoundedJson(Buffer.from([0x22, 0xff, 0x22]))).toEqual({
    kind: "bad",
    reason: "the body is no JSON in UTF-8",
  });
});

test("what it reads is what JSON is", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
      const text = JSON.stringify(value);
      const expected: unknown = JSON.parse(text);
      expect(parseBoundedJson(Buffer.from(text))).toEqual({ kind: "ok", value: expected });
    }),
  );
});
