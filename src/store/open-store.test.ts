import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { newAttemptId } from "./attempt-id.ts";
import { openStore } from "./open-store.ts";
import { storeContract } from "./store-contract.ts";

let directory = "";
const file = () => join(directory, "store.sqlite");
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-store-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("the store in SQLite", () => {
  storeContract(() => openStore(file()));
});

test("is the farm's alone to read", async () => {
  await using _store = await openStore(file());
  expect(statSync(file()).mode & 0o777).toBe(0o600);
});

test("a file that a newer Creamery wrote is left alone", async () => {
  const database = new DatabaseSync(file());
  database.exec("pragma user_version = 9999");
  database.close();
  await expect(openStore(file())).rejects.toThrow("written by a newer Creamery");
});

test("a file that is no database is told in one line", async () => {
  writeFileSync(file(), "not a database, but long enough to be taken for one\n".repeat(100));
  await expect(openStore(file())).rejects.toMatchObject({ code: "store", input: file() });
});

test("a directory that is not there is told in one line", async () => {
  await expect(openStore(join(directory, "none", "store.sqlite"))).rejects.toMatchObject({
    code: "store",
  });
});

test("processes that open a new file at once all get the whole schema", async () => {
  const script = join(directory, "open.mjs");
  const module = new URL("./open-store.ts", import.meta.url).href;
  // Each opens every file of the list at the same instant as the others: what is loaded late is loaded by a first one.
  writeFileSync(
    script,
    `import { openStore } from ${JSON.stringify(module)};
async function use(path) { await using store = await openStore(path); await store.attempts({ limit: 1 }); }
await use(process.argv[2] + ".mine-" + process.pid);
process.send("loaded");
process.on("message", async ({ path, at }) => {
  while (Date.now() < at);
  await use(path).then(() => process.send("opened"), ({ message, cause }) => process.send(message + ": " + cause?.message));
});
`,
  );
  const children = Array.from({ length: 3 }, () =>
    fork(script, [file()], { execArgv: [], silent: true }),
  );
  await Promise.all(children.map(nextMessage));
  for (let round = 0; round < 30; round++) {
    const answers = children.map(nextMessage);
    const at = Date.now() + 5;
    for (const child of children) child.send({ path: `${file()}.${round}`, at });
    expect(await Promise.all(answers)).toEqual(["opened", "opened", "opened"]);
  }
  for (const child of children) child.disconnect();
  expect(await Promise.all(children.map(exitOf))).toEqual([0, 0, 0]);
});

test("a write that dies midway leaves nothing of it", async () => {
  {
    await using store = await openStore(file());
    expect(await store.attempts({ limit: 1 })).toEqual([]);
  }
  const script = join(directory, "die.mjs");
  writeFileSync(
    script,
    `import { DatabaseSync } from "node:sqlite";\nconst db = new DatabaseSync(process.argv[2]);\ndb.exec("begin immediate; insert into project (name, visibility) values ('half', 'public')");\nprocess.kill(process.pid, "SIGKILL");\n`,
  );
  const child = fork(script, [file()], { execArgv: [], silent: true });
  expect(await exitOf(child)).toBe("SIGKILL");
  await using _store = await openStore(file());
  const database = new DatabaseSync(file());
  expect(database.prepare("select count(*) as n from project").get()?.["n"]).toBe(0);
  database.close();
});

test("attempts' ids sort by time and hold only what a file's name may", () => {
  const ids = [1, 31, 32, 1_795_000_000_000, 1_795_000_000_001].map((nowMs) => newAttemptId(nowMs));
  expect(ids.toSorted()).toEqual(ids);
  expect(ids.every((id) => /^[0-9a-hjkmnp-tv-z]{16}$/.test(id))).toBe(true);
  expect(newAttemptId(5)).not.toBe(newAttemptId(5));
});

/** Exit code, or the signal that ended it. */
async function exitOf(child: ChildProcess): Promise<unknown> {
  const ended: readonly unknown[] = await once(child, "exit");
  return ended[0] ?? ended[1];
}

async function nextMessage(child: ChildProcess): Promise<unknown> {
  const said: readonly unknown[] = await once(child, "message");
  return said[0];
}
