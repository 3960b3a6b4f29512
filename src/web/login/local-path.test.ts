import fc from "fast-check";
import { expect, test } from "vitest";

import { FUZZ } from "../../../test/properties.ts";
import { localPath } from "./local-path.ts";

test.each(["/", "/p/six", "/queue?state=dead&q=%2F%2Fevil", "/a/0123#L5", "/p/..%2f..%2fevil"])(
  "%j leads there",
  (path) => {
    expect(localPath(path)).toBe(path);
  },
);

test.each([
  undefined,
  "",
  "p/six",
  "https://evil.example/",
  "//evil.example/",
  "///evil.example/",
  "/\\evil.example/",
  "\\\\evil.example/",
  "/\t/evil.example/",
  "/\n/evil.example/",
  "\t//evil.example/",
  " //evil.example/",
  "/..//evil.example/",
  "/.//evil.example/",
  "/x/..//evil.example/",
  "/%2e%2e//evil.example/",
  "/%2E//evil.example/",
  "/@evil.example\\",
  "javascript:alert(1)",
  "/login?to=/login",
  "/logout",
  `/${"x".repeat(2000)}`,
])("%j leads nowhere", (path) => {
  expect(localPath(path)).toBeNull();
});

test("encoded slashes stay what they are: a path of ours", () => {
  for (const path of ["/%2fevil.example", "/%5cevil.example", "/%2F%2Fevil.example"])
    expect(new URL(localPath(path) ?? "", "https://farm.example").host).toBe("farm.example");
});

test("whatever is taken leads to this farm, as a browser reads it", () => {
  const part = fc.constantFrom(
    "/",
    "\\",
    "..",
    ".",
    "%2e",
    "%2f",
    "%5c",
    "evil.example",
    ":",
    "@",
    "\t",
    "\n",
    "?",
    "#",
    "https:",
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const taken = localPath(`/${parts.join("")}`);
      if (taken === null) return;
      expect(new URL(taken, "https://farm.example").origin).toBe("https://farm.example");
      expect(localPath(taken)).toBe(taken);
    }),
    FUZZ,
  );
  expect.hasAssertions();
});
