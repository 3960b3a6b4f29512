import fc from "fast-check";
import { expect, test } from "vitest";

import { bodyKind, formFields, payloadField } from "./body.ts";

test("a form's payload is decoded to the bytes that were encoded", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (payload) => {
      const form = Buffer.from(new URLSearchParams({ a: "1", payload, b: "&=+%" }).toString());
      expect(payloadField(form)?.toString()).toBe(payload.toWellFormed());
    }),
  );
});

test("a form's fields are read as others read them", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(fc.string(), fc.string()), {
        selector: ([name]) => name,
        maxLength: 20,
      }),
      (fields) => {
        const form = Buffer.from(new URLSearchParams(fields).toString());
        expect(formFields(form)).toEqual(fields.length === 0 ? {} : Object.fromEntries(fields));
      },
    ),
  );
});

test("no payload, two, and fields without end are none", () => {
  for (const text of ["", "x=1", "payload", "payload=1&payload=2"])
    expect(payloadField(Buffer.from(text))).toBeNull();
  expect(formFields(Buffer.from("a=1&a=2"))).toBeNull();
  expect(formFields(Buffer.from("a&".repeat(100)))).toBeNull();
  expect(
    formFields(Buffer.from(Array.from({ length: 33 }, (_, at) => `f${at}`).join("&"))),
  ).toBeNull();
});

test.each([
  [null, "payload", "json"],
  ["application/json", "none", "json"],
  ["Application/JSON; charset=UTF-8", "none", "json"],
  ["application/json; charset=latin1", "none", null],
  ["application/x-www-form-urlencoded", "payload", "form"],
  ["application/x-www-form-urlencoded", "none", null],
  ["application/jsonp", "payload", null],
  ["text/json", "payload", null],
] as const)("content type %j where forms are %s is %j", (type, forms, kind) => {
  expect(bodyKind(type, forms)).toBe(kind);
});
