import { expect, test } from "vitest";

import { firstLinesThatMatter, type FailedTest } from "./first-lines.ts";

/** A test's id, and below it what it said. */
const told = (text: string): FailedTest => {
  const [id = "", ...message] = text.split("\n");
  return { id, message: message.join("\n") };
};

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

test("shows of each failed test its id and what its exception says, not the source above it", () => {
  const urllib = Array.from({ length: 30 }, (_, line) => `        source = ${line}  # resolve`);
  const one = (name: string) =>
    [
      `tests/test_a.py::${name}`,
      "",
      ...urllib,
      "E       socket.gaierror: [Errno -3] Temporary failure in name resolution",
      "",
      ...urllib,
      ">       raise URLError(err)",
      "E       urllib.error.URLError: <urlopen error Temporary failure in name resolution>",
      "",
      "/usr/lib/python3.13/urllib/request.py:1: URLError",
    ].join("\n");
  expect(
    firstLinesThatMatter([told(one("test_x")), told(one("test_y"))], { kind: "needs-network" }),
  ).toEqual(
    ["test_x", "test_y"].flatMap((name) => [
      `tests/test_a.py::${name}`,
      "E       urllib.error.URLError: <urlopen error Temporary failure in name resolution>",
    ]),
  );
});

test("gives up to three tests their share of the lines", () => {
  const failures = ["a", "b", "c", "d"].map((name) =>
    [
      `pkg.tests.TestX.test_${name}`,
      "Traceback (most recent call last):",
      '  File "x.py", line 3, in test',
      "    self.assertEqual(1, 2)",
      "AssertionError: 1 != 2",
      ...Array.from({ length: 9 }, (_, line) => `diff ${line}`),
    ].join("\n"),
  );
  expect(firstLinesThatMatter(failures.map(told), { kind: "test-failure" })).toEqual([
    "pkg.tests.TestX.test_a",
    "AssertionError: 1 != 2",
    "diff 0",
    "pkg.tests.TestX.test_b",
    "AssertionError: 1 != 2",
    "diff 0",
    "pkg.tests.TestX.test_c",
    "AssertionError: 1 != 2",
  ]);
});

test("never puts one test's words under another's id, whatever an id looks like", () => {
  const tests = [
    { id: "tests/test_make.py::test_a", message: "[XPASS(strict)] broken on nightly" },
    { id: "tests/test_mypy.yml::case", message: "E   TypecheckAssertionError: Invalid output" },
  ];
  expect(firstLinesThatMatter(tests, { kind: "test-failure" })).toEqual([
    "tests/test_make.py::test_a",
    "[XPASS(strict)] broken on nightly",
    "tests/test_mypy.yml::case",
    "E   TypecheckAssertionError: Invalid output",
  ]);
});
