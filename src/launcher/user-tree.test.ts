import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { CreameryError } from "../base/errors.ts";
import type { Asker } from "./asker.ts";
import type { Session } from "./session.ts";
import { frameLine } from "./tree-frames.ts";
import { addToUserTree, beginUserTree, endUserTree } from "./user-tree.ts";

// As root, another user is who asks; elsewhere it is us, and nobody's rights need be dropped.
const isRoot = process.getuid?.() === 0;
const asker: Asker = isRoot ? { uid: 65534, gid: 65534 } : { uid: 0, gid: 0 };
const { signal } = new AbortController();
const MARKER = ".creamery-report";

let root = "";
let open = "";
let session: Session;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "creamery-user-tree-"));
  chmodSync(root, 0o755);
  open = join(root, "open");
  mkdirSync(open);
  chmodSync(open, 0o777);
  const other = join(root, "other");
  const exchange = join(root, "exchange");
  mkdirSync(exchange);
  session = {
    id: "s1-1",
    directory: other,
    received: other,
    repository: join(import.meta.dirname, "../.."),
    sockets: other,
    guests: other,
    exchange,
  };
});
afterEach(() => {
  execFileSync("chmod", ["-R", "u+rwX", root]);
  rmSync(root, { recursive: true, force: true });
});

type Files = Readonly<Record<string, string>>;

function handOver(text: string): string {
  writeFileSync(join(session.exchange, "content"), text);
  return "content";
}

const framesOf = (files: Files): string =>
  Object.entries(files)
    .map(([path, text]) => frameLine({ path, sizeBytes: text.length, continues: false }) + text)
    .join("");

async function begun(path: string, files: Files, isPrivate = false) {
  const asked = { session, asker, path, signal, isPrivate };
  const { part } = await beginUserTree(asked);
  await addToUserTree({ ...asked, part, content: handOver(framesOf(files)) });
  return { ...asked, part };
}

async function write(path: string, files: Files, isPrivate = false): Promise<void> {
  await endUserTree({ ...(await begun(path, files, isPrivate)), keep: true });
}

/** All that is below a directory but for the list, with what it says. */
function treeOf(directory: string): Record<string, string> {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== MARKER)
    .map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(
    entries
      .toSorted()
      .map((path) => [path.slice(directory.length + 1), readFileSync(path, "utf8")]),
  );
}

async function refusal(asked: Promise<unknown>): Promise<readonly [code: string, reason: string]> {
  const outcome: unknown = await asked.catch((thrown: unknown) => thrown);
  if (outcome instanceof CreameryError) return [outcome.code, outcome.message];
  throw new Error("was done");
}

describe("a directory for the person who asked", () => {
  test("is there whole at the end, and not before", async () => {
    const path = join(open, "report");
    const files = { "index.html": "home", "a/0x/log/1/index.html": "log" };
    const asked = await begun(path, files);
    expect(existsSync(path)).toBe(false);
    await endUserTree({ ...asked, keep: true });
    expect(treeOf(path)).toEqual(files);
    expect(readdirSync(open)).toEqual(["report"]);
    expect(statSync(path).mode & 0o777).toBe(0o755);
    expect(statSync(join(path, "a/0x/log/1/index.html")).mode & 0o777).toBe(0o644);
    expect(statSync(join(path, "a")).uid).toBe(isRoot ? asker.uid : process.getuid?.());
  });

  test("may be an empty one, and what is private is its owner's alone to read", async () => {
    const path = join(open, "report");
    mkdirSync(path);
    chmodSync(path, 0o777);
    await write(path, { "index.html": "home", "p/six/index.html": "six" }, true);
    expect(statSync(join(path, "p/six")).mode & 0o777).toBe(0o700);
    expect(statSync(join(path, "index.html")).mode & 0o777).toBe(0o600);
    await write(join(open, "new"), { "index.html": "home" }, true);
    expect(statSync(join(open, "new")).mode & 0o777).toBe(0o700);
  });

  test("is written again in the same place: what is gone goes, what is not ours stays", async () => {
    const path = join(open, "report");
    await write(path, { "index.html": "1", "p/old/index.html": "old", "p/six/index.html": "six" });
    for (const [name, text] of [
      ["CNAME", "pages.example"],
      ["p/old/note.txt", "mine"],
    ] as const)
      writeFileSync(join(path, name), text);
    mkdirSync(join(path, ".git"));
    const before = statSync(join(path, "p/six/index.html"));
    utimesSync(join(path, "p/six/index.html"), before.atime, new Date(1e12));
    await write(path, { "index.html": "2", "p/six/index.html": "six", "p/new/index.html": "new" });
    expect(treeOf(path)).toEqual({
      CNAME: "pages.example",
      "index.html": "2",
      "p/new/index.html": "new",
      "p/old/note.txt": "mine",
      "p/six/index.html": "six",
    });
    // What says the same is not touched, so that a copy of the directory sends little.
    expect(statSync(join(path, "p/six/index.html")).mtimeMs).toBe(1e12);
    expect(readdirSync(path).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  test("that holds anything else is left as it is", async () => {
    const path = join(open, "home");
    mkdirSync(path);
    chmodSync(path, 0o777);
    writeFileSync(join(path, "thesis.txt"), "mine");
    expect(await refusal(beginUserTree({ session, asker, path, signal }))).toEqual([
      "output-file",
      "holds what no report wrote",
    ]);
    for (const other of ["file", "pipe", "dangling"]) {
      const taken = join(open, other);
      if (other === "file") writeFileSync(taken, "mine");
      else if (other === "pipe") execFileSync("mkfifo", [taken]);
      else symlinkSync("nowhere", taken);
      expect(await refusal(beginUserTree({ session, asker, path: taken, signal }))).toEqual([
        "output-file",
        "is there and no directory",
      ]);
    }
    expect(treeOf(path)).toEqual({ "thesis.txt": "mine" });
  });

  test("takes the place of no file of others, and follows no link of theirs", async () => {
    const path = join(open, "report");
    await write(path, { "index.html": "1" });
    const elsewhere = join(open, "elsewhere");
    mkdirSync(elsewhere);
    chmodSync(elsewhere, 0o777);
    symlinkSync(elsewhere, join(path, "p"));
    mkdirSync(join(path, "about"));
    writeFileSync(join(path, "about/index.html"), "mine");
    const inTheWay = ["output-file", "is in the way: no report wrote it"];
    for (const file of ["p/index.html", "about/index.html"])
      expect(await refusal(write(path, { "index.html": "2", [file]: "ours" }))).toEqual(inTheWay);
    expect(readdirSync(elsewhere)).toEqual([]);
    expect(treeOf(path)).toMatchObject({ "index.html": "1", "about/index.html": "mine" });
  });

  test("removes nothing that a link leads to, whatever its list says", async () => {
    const path = join(open, "report");
    await write(path, { "index.html": "1", "p/six/index.html": "six" });
    const elsewhere = join(open, "elsewhere");
    mkdirSync(join(elsewhere, "six"), { recursive: true });
    writeFileSync(join(elsewhere, "six/index.html"), "mine");
    execFileSync("chmod", ["-R", "a+rwX", elsewhere]);
    rmSync(join(path, "p"), { recursive: true });
    symlinkSync(elsewhere, join(path, "p"));
    await write(path, { "index.html": "2" });
    expect(treeOf(elsewhere)).toEqual({ "six/index.html": "mine" });
    expect(readdirSync(path).toSorted()).toEqual([MARKER, "index.html", "p"]);
  });

  test("is what it was where it was not finished", async () => {
    const path = join(open, "report");
    const files = { "index.html": "1", "p/six/index.html": "six" };
    await write(path, files);
    const asked = await begun(path, { "index.html": "2" });
    const frame = frameLine({ path: "p/x/index.html", sizeBytes: 100, continues: false });
    const cut = addToUserTree({ ...asked, content: handOver(`${frame}cut`) });
    expect(await refusal(cut)).toEqual(["launcher", "what is to be written is cut off"]);
    expect(treeOf(path)).toMatchObject(files);
    await endUserTree({ ...asked, keep: false });
    expect(treeOf(path)).toEqual(files);
    expect(readdirSync(path).toSorted()).toEqual([MARKER, "index.html", "p"]);
  });

  test("loses parts of it that were left a day ago, and no newer ones", async () => {
    const path = join(open, "report");
    const old = await begun(path, { "index.html": "1" });
    utimesSync(join(open, old.part), new Date(), new Date(Date.now() - 25 * 3_600_000));
    const other = await begun(path, { "index.html": "2" });
    await write(path, { "index.html": "3" });
    expect(readdirSync(open).toSorted()).toEqual([other.part, "report"].toSorted());
  });

  test.skipIf(!isRoot)("is not written where that person may not", async () => {
    const own = join(root, "own");
    mkdirSync(own, { mode: 0o755 });
    for (const path of [own, join(own, "report")])
      expect(await refusal(beginUserTree({ session, asker, path, signal }))).toEqual([
        "output-file",
        "can't be written: permission denied",
      ]);
    expect(readdirSync(own)).toEqual([]);
  });

  test("needs the directory that it is to be in", async () => {
    const path = join(open, "none/report");
    expect(await refusal(beginUserTree({ session, asker, path, signal }))).toEqual([
      "output-file",
      "can't be written: its directory is not there",
    ]);
  });
});

describe("what is handed over to be written", () => {
  test("may come in pieces, each file continued where it ended", async () => {
    const path = join(open, "report");
    const asked = await begun(path, {});
    for (const [index, text] of ["one ", "two ", "three"].entries()) {
      const line = frameLine({ path: "log.txt", sizeBytes: text.length, continues: index > 0 });
      await addToUserTree({ ...asked, content: handOver(line + text) });
    }
    await endUserTree({ ...asked, keep: true });
    expect(treeOf(path)).toEqual({ "log.txt": "one two three" });
  });

  test.each(["../x", "/etc/x", "a/../../x", ".hidden", "a//b", "a/.", "A", "a b", "x.", ""])(
    "leads nowhere else: %j",
    async (name) => {
      const asked = await begun(join(open, "report"), {});
      const content = handOver(`= 1 ${name}\nx`);
      expect(await refusal(addToUserTree({ ...asked, content }))).toEqual([
        "launcher",
        "what is to be written is no file of a tree",
      ]);
      expect(() => frameLine({ path: name, sizeBytes: 1, continues: false })).toThrow(/no path/u);
    },
  );

  test("may be of many files", async () => {
    const names = Array.from({ length: 3000 }, (_, index) => `a/${index}/index.html`);
    const path = join(open, "report");
    await write(path, Object.fromEntries(names.map((name) => [name, name])));
    await write(path, Object.fromEntries(names.map((name) => [name, `${name}, again`])));
    expect(Object.keys(treeOf(path)).length).toBe(3000);
  });
});
