import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { AttemptLog } from "./attempt-log.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "creamery-log-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("a log that was closed stays, with all that was written", async () => {
  const path = join(root, "log");
  const told: string[] = [];
  {
    await using log = new AttemptLog(path, (text) => told.push(text));
    log.section("test", "pytest");
    const bytes = Buffer.from("é\n");
    log.write(bytes.subarray(0, 1));
    log.write(bytes.subarray(1));
    await log.close();
  }
  expect(readFileSync(path, "utf8")).toBe("== test: pytest\né\n");
  // A character that came in two parts is told whole.
  expect(told.join("")).toBe("== test: pytest\né\n");
});

test("a log of what was ended early is gone at once", async () => {
  const path = join(root, "log");
  {
    await using log = new AttemptLog(path);
    log.note("begun");
  }
  expect(existsSync(path)).toBe(false);
});

test("a log that could not be written says so when it is closed", async () => {
  await using log = new AttemptLog(join(root, "none/log"));
  log.note("begun");
  await expect(log.close()).rejects.toMatchObject({ code: "ENOENT" });
});
