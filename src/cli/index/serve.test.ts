import { spawnSync } from "node:child_process";

import { expect, test } from "vitest";

import { servingLine } from "./serve.ts";

test("one line says where the mirror is, and how pip and uv are told", () => {
  expect(servingLine("http://127.0.0.1:8347")).toBe(
    "serving http://127.0.0.1:8347/simple/ (pip: PIP_INDEX_URL=http://127.0.0.1:8347/simple/; uv: UV_DEFAULT_INDEX=http://127.0.0.1:8347/simple/; Ctrl-C ends it)",
  );
  expect(servingLine("http://[::1]:1")).not.toContain("PIP_TRUSTED_HOST");
  // Of other hosts pip takes no plain HTTP unless it is told to.
  expect(servingLine("http://192.0.2.1:8347")).toContain(" PIP_TRUSTED_HOST=192.0.2.1;");
});

test.each(["8347", "localhost:8347", "127.0.0.1", "127.0.0.1:70000", ""])(
  "--listen '%s' is told in one line before anything is opened",
  (place) => {
    const { status, stderr } = spawnSync(
      process.execPath,
      ["src/cli/main.ts", "index", "serve", "--listen", place],
      { encoding: "utf8" },
    );
    expect([status, stderr]).toEqual([
      2,
      `creamery: --listen ${place}: is no address and port; write 127.0.0.1:8347, or [::1]:8347\n`,
    ]);
  },
);
