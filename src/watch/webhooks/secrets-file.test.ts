import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { readHookSecrets } from "./secrets-file.ts";

const SECRET = "correct-horse-battery-staple";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-hooks-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function written(text: string, mode: number): string {
  const path = join(directory, "hooks.toml");
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const good = `[project.six]\nsecrets = ["${SECRET}"]\n`;

test("a file that its owner alone can reach is read", async () => {
  for (const mode of [0o600, 0o400]) {
    const { projects } = await readHookSecrets(written(good, mode));
    expect(projects.get("six")?.map((secret) => secret.reveal())).toEqual([SECRET]);
    rmSync(join(directory, "hooks.toml"));
  }
});

test.each([0o640, 0o604, 0o620, 0o602, 0o644])("mode %i is refused", async (mode) => {
  const path = written(good, mode);
  await expect(readHookSecrets(path)).rejects.toMatchObject({
    code: "configuration-file",
    input: path,
  });
});

test("what is no file, is too long or is not there is told, and waited for by nobody", async () => {
  mkdirSync(join(directory, "d"), { mode: 0o700 });
  execFileSync("mkfifo", ["-m", "600", join(directory, "pipe")]);
  for (const [name, code] of [
    ["d", "configuration-file"],
    ["pipe", "configuration-file"],
    ["none", "unreadable-path"],
  ] as const)
    await expect(readHookSecrets(join(directory, name))).rejects.toMatchObject({ code });
  await expect(
    readHookSecrets(written(`# ${"x".repeat(1024 * 1024)}`, 0o600)),
  ).rejects.toMatchObject({ code: "configuration-file" });
});

test("no fault shows a secret", async () => {
  const path = written(`[project.six]\nsecrets = ["${SECRET}\n`, 0o600);
  const fault = await readHookSecrets(path).catch((thrown: unknown) => thrown);
  expect(fault).toMatchObject({ code: "configuration-file" });
  expect(String(fault) + JSON.stringify(fault)).not.toContain(SECRET);
});
