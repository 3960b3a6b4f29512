import { expect, test } from "vitest";

import { parsePylock } from "./pylock.ts";

test("what is no lock is refused in one line", () => {
  for (const text of [
    "lock-version = 1",
    "= 3",
    'lock-version = "2.0"\ncreated-by = "x"\npackages = []',
  ]) {
    expect(() => parsePylock(text)).toThrow(/^is no lock file: [^\n]+$/u);
  }
});
