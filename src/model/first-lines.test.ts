import { expect, test } from "vitest";

import { firstLinesThatMatter } from "./first-lines.ts";

test("begins at the line that gives the cause away", () => {
  const log =
    "== build: uv build\nrunning build_ext\nhdr.c:2:10: fatal error: foo/bar.h: No such file\n  2 | #include\n\ncompilation terminated.\n-- build: exit 1 after 2.00 s\n";
  expect(
    firstLinesThatMatter(log, { kind: "missing-system-library", detail: "foo/bar.h" }),
  ).toEqual([
    "hdr.c:2:10: fatal error: foo/bar.h: No such file",
    "  2 | #include",
    "compilation terminated.",
  ]);
});

test("else shows the end, bounded, with control characters made visible", () => {
  const log = `${"x\n".repeat(50)}\u001b[31mred\u001b[0m ${"y".repeat(500)}\n`;
  const lines = firstLinesThatMatter(log, { kind: "host" });
  expect(lines).toHaveLength(8);
  expect(lines.at(-1)).toMatch(/^\\x1b\[31mred/);
  expect(lines.at(-1)).toHaveLength(200);
});
