import { expect, test } from "vitest";

import { parsePylock } from "./pylock.ts";

test("a lock of other tools is read, which leaves out a name that the address ends with", () => {
  const text = `lock-version = "1.0"
created-by = "another"
requires-python = ">=3.9"

[[packages]]
name = "spam"
version = "1.0"
index = "https://index.example/simple/"
wheels = [{ url = "https://files.example/spam-1.0-py3-none-any.whl", upload-time = 2026-01-02T03:04:05Z, size = 7, hashes = { sha256 = "${"a".repeat(64)}" } }]

[[packages]]
name = "mine"
directory = { path = ".", editable = true }
`;
  expect(parsePylock(text).packages).toMatchObject([
    { name: "spam", wheels: [{ hashes: { sha256: "a".repeat(64) } }] },
    { name: "mine" },
  ]);
});

test("what is no lock is refused in one line", () => {
  for (const text of [
    "lock-version = 1",
    "= 3",
    'lock-version = "2.0"\ncreated-by = "x"\npackages = []',
  ]) {
    expect(() => parsePylock(text)).toThrow(/^is no lock file: [^\n]+$/u);
  }
});
