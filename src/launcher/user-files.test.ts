import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { CreameryError } from "../base/errors.ts";
import type { Asker } from "./asker.ts";
import type { Session } from "./session.ts";
import {
  packTree,
  probeUserPath,
  readUserFile,
  readUserText,
  writeUserFile,
} from "./user-files.ts";

// As root, another user is who asks; elsewhere it is us, and nobody's rights need be dropped.
const isRoot = process.getuid?.() === 0;
const asker: Asker = isRoot ? { uid: 65534, gid: 65534 } : { uid: 0, gid: 0 };
const signal = new AbortController().signal;

let root = "";
let session: Session;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "creamery-user-files-"));
  chmodSync(root, 0o755);
  const directory = mkdtempSync(join(root, "session-"));
  const received = join(directory, "received");
  mkdirSync(received);
  const [id, other] = ["s1-1", join(directory, "other")];
  session = {
    id,
    directory,
    received,
    repository: other,
    sockets: other,
    guests: other,
    exchange: other,
  };
});
afterEach(() => {
  execFileSync("chmod", ["-R", "u+rwX", root]);
  rmSync(root, { recursive: true, force: true });
});

function plant(name: string, mode = 0o644): string {
  const path = join(root, name);
  writeFileSync(path, name);
  chmodSync(path, mode);
  return path;
}

function plantDirectory(name: string, mode = 0o755): string {
  const path = join(root, name);
  mkdirSync(path);
  writeFileSync(join(path, "inside"), name);
  chmodSync(path, mode);
  return path;
}

const ask = {
  probe: (path: string) => probeUserPath({ session, asker, path, signal }),
  read: (path: string) =>
    readUserFile({ session, asker, path, signal, result: "read", maxBytes: 1 << 20 }),
  text: (path: string) => readUserText({ session, asker, path, signal, maxBytes: 1 << 20 }),
  pack: (path: string) =>
    packTree({ session, asker, path, signal, result: "packed", maxBytes: 1 << 20 }),
};

/** What the farm left to be written. */
async function write(path: string, isPrivate?: boolean): Promise<void> {
  mkdirSync(session.exchange, { recursive: true });
  writeFileSync(join(session.exchange, "content"), "report");
  await writeUserFile({ session, asker, path, signal, content: "content", isPrivate });
}

async function refusal(asked: Promise<unknown>): Promise<readonly [code: string, reason: string]> {
  const outcome: unknown = await asked.catch((thrown: unknown) => thrown);
  if (outcome instanceof CreameryError) return [outcome.code, outcome.message];
  throw new Error("was taken");
}

const WAYS = ["probe", "read", "text", "pack"] as const;

test("what is private is its owner's alone to read, whatever was there before", async () => {
  chmodSync(root, 0o777);
  const path = plant("kept");
  await write(path, true);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await write(path);
  expect(statSync(path).mode & 0o777).toBe(0o644);
});

describe("a path of the person who asked", () => {
  test("is probed, and no file is made of it", async () => {
    execFileSync("mkfifo", [join(root, "pipe")]);
    symlinkSync("file", join(root, "link"));
    expect(await ask.probe(plant("file"))).toEqual({ what: "file" });
    expect(await ask.probe(join(root, "link"))).toEqual({ what: "file" });
    expect(await ask.probe(`${plantDirectory("dir")}/`)).toEqual({ what: "directory" });
    expect(await ask.probe(join(root, "pipe"))).toEqual({ what: "other" });
    expect(await ask.probe("/")).toEqual({ what: "directory" });
    expect(readdirSync(session.received)).toEqual([]);
  });

  test("is read, or packed", async () => {
    expect(readFileSync((await ask.read(plant("a\nb $x"))).file, "utf8")).toBe("a\nb $x");
    expect(await ask.text(plant("a\nb $y"))).toEqual({ text: "a\nb $y" });
    const { file } = await ask.pack(plantDirectory("d"));
    expect(execFileSync("tar", ["-tf", file], { encoding: "utf8" })).toBe("./\n./inside\n");
  });

  test.each(WAYS)("that is not there is missing: %s", async (way) => {
    plant("file");
    symlinkSync("nowhere", join(root, "dangling"));
    for (const name of ["none", "none/deeper/still", "file/below", "dangling", "-e"]) {
      const told = await refusal(ask[way](join(root, name)));
      expect(told, name).toEqual(["no-such-path", "there is no such file or directory"]);
    }
    expect(readdirSync(session.received)).toEqual([]);
  });

  test.skipIf(!isRoot).each(WAYS)(
    "that may not be read is told from a missing one: %s",
    async (way) => {
      const own = way === "pack" ? plantDirectory("own", 0o700) : plant("own", 0o600);
      expect(await refusal(ask[way](own))).toEqual([
        "unreadable-path",
        "is there, but you may not read it",
      ]);
      const closed = plantDirectory("closed", 0o600);
      for (const below of ["inside", "none/deeper"])
        expect(await refusal(ask[way](join(closed, below)))).toEqual([
          "unreadable-path",
          "lies where you may not look",
        ]);
    },
  );

  test.skipIf(!isRoot)("that holds what may not be read is not packed", async () => {
    const path = plantDirectory("tree");
    writeFileSync(join(path, "own"), "", { mode: 0o600 });
    const [code, reason] = await refusal(ask.pack(path));
    expect(code).toBe("unreadable-path");
    expect(reason).toMatch(/^can't be read: tar: .*own: .*denied/u);
    expect(readdirSync(session.received)).toEqual([]);
  });

  test("of another kind, and one that is too large, have codes of their own", async () => {
    expect(await refusal(ask.read(plantDirectory("d")))).toEqual(["bad-archive", "is no file"]);
    expect(await refusal(ask.pack(plant("f")))).toEqual(["not-a-project", "is no directory"]);
    const large = join(root, "d", "large");
    writeFileSync(large, Buffer.alloc(2 << 20));
    const told = ["too-large", "is larger than 1048576 bytes"];
    expect(await refusal(ask.read(large))).toEqual(told);
    expect(await refusal(ask.pack(join(root, "d")))).toEqual(told);
    expect(readdirSync(session.received)).toEqual([]);
  });
});

describe("a file for the person who asked", () => {
  test("is written whole, in place of an older one, and of a link that leads nowhere", async () => {
    const open = plantDirectory("open", 0o777);
    symlinkSync("nowhere", join(open, "link"));
    for (const name of ["new", "new", "link"]) {
      await write(join(open, name));
      expect(readFileSync(join(open, name), "utf8")).toBe("report");
    }
    expect(readdirSync(open).toSorted()).toEqual(["inside", "link", "new"]);
  });

  test("takes the place of no directory, pipe or device, and leaves nothing behind", async () => {
    const open = plantDirectory("open", 0o777);
    execFileSync("mkfifo", [join(open, "pipe")]);
    mkdirSync(join(open, "dir"));
    for (const path of [open, join(open, "dir"), join(open, "pipe"), "/dev/null"])
      expect(await refusal(write(path))).toEqual(["output-file", "is there and no file"]);
    expect(readdirSync(open).toSorted()).toEqual(["dir", "inside", "pipe"]);
    expect(readdirSync(join(open, "dir"))).toEqual([]);
  });

  test("that can't be made is told by what the system says, without a shell's words", async () => {
    expect(await refusal(write(join(root, "none/x")))).toEqual([
      "output-file",
      "can't be written: its directory is not there",
    ]);
    expect(await refusal(write(join(plantDirectory("open", 0o777), "x".repeat(256))))).toEqual([
      "output-file",
      expect.stringMatching(/^can't be written: (?:file name too long|no reason was given)$/u),
    ]);
    expect(readdirSync(join(root, "open"))).toEqual(["inside"]);
  });

  test.skipIf(!isRoot)("is not written where that person may not", async () => {
    const own = plantDirectory("own", 0o755);
    const denied = ["output-file", "can't be written: permission denied"];
    expect(await refusal(write(join(own, "x")))).toEqual(denied);
    expect(readdirSync(own)).toEqual(["inside"]);
  });
});

test("what is given up in the middle ends with the reason, and leaves no error to nobody", async () => {
  const path = plantDirectory("large");
  writeFileSync(join(path, "zeros"), Buffer.alloc(8 << 20));
  const given = { session, asker, path, result: "given-up", maxBytes: 1 << 30 };
  const giveUp = new AbortController();
  const reason = new Error("given up");
  const packed = packTree({ ...given, signal: giveUp.signal });
  setImmediate(() => giveUp.abort(reason));
  await expect(packed).rejects.toBe(reason);
  expect(readdirSync(session.received)).toEqual([]);
});
