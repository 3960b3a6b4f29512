import { mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

import { runGit } from "./git-command.ts";

const root = mkdtempSync(join(tmpdir(), "creamery-git-command-"));
afterAll(() => rm(root, { recursive: true, force: true }));

test("of what git says without end as much is kept as is wanted, and the rest costs nothing", async () => {
  const signal = new AbortController().signal;
  const git = (argv: readonly string[], maxChars?: number) =>
    runGit({
      argv,
      cwd: root,
      url: "https://git.example/a",
      signal,
      deadline: signal,
      ...(maxChars === undefined ? {} : { maxChars }),
    });
  await git(["init", "-q"]);
  // Characters of two bytes, so that some are cut where what was read ends.
  writeFileSync(join(root, "long"), `x${"\u00e9".repeat(48 << 20)}`);
  const hash = (await git(["hash-object", "-w", "long"])).trim();
  const said = await git(["cat-file", "blob", hash], (16 << 20) - 3);
  expect(said).toHaveLength((16 << 20) - 3);
  expect(said.endsWith("\u00e9\u2026")).toBe(true);
  expect(said).not.toContain("\ufffd");
});
