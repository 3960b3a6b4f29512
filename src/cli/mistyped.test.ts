import { spawnSync } from "node:child_process";

import { expect, test } from "vitest";

test.each([
  ["report", "missing required argument 'dir'; see ./creamery report --help"],
  ["queue retry", "missing required argument 'job'; see ./creamery queue retry --help"],
  ["--odd", "unknown option '--odd'; see ./creamery --help"],
  ["stauts", "unknown command 'stauts'; did you mean status?"],
])("%s is told in one line that leads to the command's own help", (typed, told) => {
  const { status, stderr } = spawnSync(process.execPath, ["src/cli/main.ts", ...typed.split(" ")], {
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([2, `creamery: ${told}\n`]);
});
