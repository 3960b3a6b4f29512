import fc from "fast-check";
import { expect, test } from "vitest";

import { PRINCIPAL_KINDS } from "./principals.ts";
import { newToken, readToken, tokenSha256 } from "./token.ts";

test.each(PRINCIPAL_KINDS)(
  "a token of a %s says its kind and its id, and is known by its hash",
  (kind) => {
    const token = newToken(kind);
    expect(token.text).toMatch(/^creamery_[a-z]+_[0-9a-z]{16}_[0-9a-z]{59}$/u);
    expect(readToken(token.text)).toEqual({ kind, id: token.id, sha256: token.sha256 });
    expect(token.sha256).toBe(tokenSha256(token.text));
    expect(token.sha256).not.toContain(token.text.slice(-20));
  },
);

test("two are never the same, and every random bit counts", () => {
  expect(newToken("person").text).not.toBe(newToken("person").text);
  const zeros = newToken("worker", (bytes) => new Uint8Array(bytes)).text;
  for (let bit = 0; bit < 256; bit++) {
    const text = newToken("worker", (bytes) => {
      const random = new Uint8Array(bytes);
      if (bytes === 32) random[bit >> 3] = 1 << (bit & 7);
      return random;
    }).text;
    expect(text).not.toBe(zeros);
  }
});

test("what was mistyped, cut or made up is no token", () => {
  const { text } = newToken("person");
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 2 }), (at, put) => {
      const changed = text.slice(0, at) + put + text.slice(at + 1);
      expect(readToken(changed) === null || changed === text).toBe(true);
    }),
  );
  for (const other of ["", text.toUpperCase(), ` ${text}`, `${text}\n`, text.slice(0, -1)])
    expect(readToken(other)).toBeNull();
  expect(readToken(text.replace("_person_", "_admin_"))).toBeNull();
});
