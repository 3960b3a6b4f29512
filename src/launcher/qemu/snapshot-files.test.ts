import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { cpioArchive } from "./cpio.ts";
import { guestFilesHash, machineInitrd } from "./guest-files.ts";
import { receiveState } from "./receive-state.ts";
import {
  isSealed,
  makeScratchDisk,
  removeHalfMadeDisks,
  sealOf,
  WatchedFile,
} from "./snapshot-files.ts";

const never = new AbortController().signal;
let directory = "";
const path = (name: string) => join(directory, name);
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-snapshot-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Until the file system's clock goes on: on an older kernel what is written within some milliseconds has one time. */
function tick(): void {
  const changed = () => {
    writeFileSync(path("clock"), "");
    return sealOf(path("clock")).changedNs;
  };
  const before = changed();
  while (changed() === before);
}

describe("a sealed file", () => {
  it("is told from one that was written to, also where size and time of writing were put back", () => {
    writeFileSync(path("ram"), "0123456789");
    const seal = sealOf(path("ram"));
    expect(isSealed(path("ram"), seal)).toBe(true);
    tick();
    const { atime, mtime } = statSync(path("ram"));
    const file = openSync(path("ram"), "r+");
    writeSync(file, "x", 3);
    closeSync(file);
    utimesSync(path("ram"), atime, mtime);
    expect(isSealed(path("ram"), seal)).toBe(false);
  });

  it("is told from one that is longer, and from none", () => {
    writeFileSync(path("ram"), "0123456789");
    const seal = sealOf(path("ram"));
    appendFileSync(path("ram"), "x");
    expect(isSealed(path("ram"), seal)).toBe(false);
    expect(isSealed(path("none"), seal)).toBe(false);
  });
});

describe("a watched file", () => {
  const touch = `
import mmap, sys
with open(sys.argv[1], "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
    memory[3] = memory[3]
`;

  it("is told from one that was written to by its memory, whatever became of its name", () => {
    writeFileSync(path("ram"), "0123456789");
    const watched = WatchedFile.open(path("ram"));
    renameSync(path("ram"), path("elsewhere"));
    tick();
    expect(watched?.isUntouched()).toBe(true);
    execFileSync("python3", ["-c", touch, path("elsewhere")]);
    rmSync(path("elsewhere"));
    expect(watched?.isUntouched()).toBe(false);
    watched?.close();
  });

  it("stays what it was when it is read and removed", () => {
    writeFileSync(path("ram"), "0123456789");
    const watched = WatchedFile.open(path("ram"));
    readFileSync(path("ram"));
    rmSync(path("ram"));
    expect(watched?.isUntouched()).toBe(true);
    watched?.close();
    expect(WatchedFile.open(path("ram"))).toBe(null);
  });
});

it("half-made disks are removed, whole ones are not", async () => {
  for (const name of ["one.ext4", "two.ext4.making"]) writeFileSync(path(name), "");
  await removeHalfMadeDisks(directory);
  expect(readdirSync(directory)).toEqual(["one.ext4"]);
  await removeHalfMadeDisks(path("none"));
});

describe("the guest's own files", () => {
  beforeEach(() => {
    mkdirSync(path("guest/machine/__pycache__"), { recursive: true });
    writeFileSync(path("guest/agent.py"), "agent");
    writeFileSync(path("guest/machine/init"), "#!/bin/sh\n");
    writeFileSync(path("guest/machine/__pycache__/x.pyc"), "compiled");
  });

  it("have another hash when anything of them is another, and the same whatever was compiled", () => {
    const hash = () => guestFilesHash(path("guest"));
    const before = hash();
    writeFileSync(path("guest/machine/__pycache__/x.pyc"), "compiled anew");
    expect(hash()).toBe(before);
    writeFileSync(path("guest/agent.py"), "another");
    const after = hash();
    expect(after).not.toBe(before);
    chmodSync(path("guest/machine/init"), 0o755);
    expect(hash()).not.toBe(after);
  });

  it("follow the image's initrd on a boundary of four bytes, with all that is in them", async () => {
    const interpreters = [{ name: "cpython-3.13", executable: "/usr/bin/python3.13", uv: true }];
    const initrd = Buffer.from("12345");
    const made = await machineInitrd(
      initrd,
      path("guest"),
      {
        // Of an interpreter no more is asked.
        interpreters: interpreters.map((one) => ({
          ...one,
          implementation: "cpython" as const,
          version: "3.13",
          fullVersion: "3.13.5",
          builder: "debian" as const,
          origin: "debian",
          lacks: null,
        })),
      },
      5000,
    );
    expect(made.subarray(0, 8)).toEqual(Buffer.from("12345\0\0\0"));
    const entries = entriesOf(made.subarray(8));
    expect([...entries.keys()]).toEqual([
      "creamery",
      "creamery/init",
      "creamery/guest.tar",
      "creamery/machine.json",
      "TRAILER!!!",
    ]);
    expect(JSON.parse(String(entries.get("creamery/machine.json")))).toEqual({
      memoryBytes: 5000,
      interpreters,
    });
    writeFileSync(path("guest.tar"), entries.get("creamery/guest.tar") ?? "");
    const names = execFileSync("tar", ["-tf", path("guest.tar")], { encoding: "utf8" });
    expect(names.split("\n").filter(Boolean)).toEqual([
      "./",
      "./agent.py",
      "./machine/",
      "./machine/init",
    ]);
  });
});

it("an archive for the kernel has each field where cpio(5) says", () => {
  const entries = entriesOf(
    cpioArchive([
      { path: "a", mode: 0o40755, content: Buffer.alloc(0) },
      { path: "a/bc", mode: 0o100644, content: Buffer.from("hello") },
    ]),
  );
  expect([...entries].map(([name, content]) => [name, String(content)])).toEqual([
    ["a", ""],
    ["a/bc", "hello"],
    ["TRAILER!!!", ""],
  ]);
});

it("a scratch disk has room for what was asked for, and is mostly holes", async () => {
  const diskBytes = 100 * 1024 * 1024;
  await makeScratchDisk(path("scratch"), diskBytes, never);
  const said = execFileSync("/usr/sbin/dumpe2fs", ["-h", path("scratch")], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "mu").exec(said)?.[1]);
  const free = field("Free blocks") * field("Block size");
  expect(free).toBeGreaterThan(diskBytes);
  expect(free).toBeLessThan(diskBytes * 1.1);
  expect(said).not.toContain("has_journal");
  expect(statSync(path("scratch")).blocks * 512).toBeLessThan(8 * 1024 * 1024);
});

describe("a machine's state", () => {
  it("is whole in the file when it was received", async () => {
    const receiver = await receiveState(path("state.sock"), path("state"));
    const sender = connect(path("state.sock"));
    sender.end(Buffer.alloc(600_000, 7));
    await receiver.received;
    expect(readFileSync(path("state"))).toEqual(Buffer.alloc(600_000, 7));
  });

  it("is refused where it has no end, and missed where nobody sends it", async () => {
    const receiver = await receiveState(path("state.sock"), path("state"));
    const sender = connect(path("state.sock"));
    sender.on("error", () => undefined);
    const piece = Buffer.alloc(8 * 1024 * 1024);
    for (let sent = 0; sent < 10; sent++) sender.write(piece);
    await expect(receiver.received).rejects.toThrow("too large");
    sender.destroy();
    const silent = await receiveState(path("silent.sock"), path("silent"));
    silent.close();
    await expect(silent.received).rejects.toThrow("never came");
  });
});

/** Contents by name of a `newc` archive. */
function entriesOf(archive: Buffer): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (let at = 0; at < archive.length;) {
    expect(archive.toString("latin1", at, at + 6)).toBe("070701");
    const field = (index: number) =>
      Number.parseInt(archive.toString("latin1", at + 6 + index * 8, at + 14 + index * 8), 16);
    const [size, nameSize] = [field(6), field(11)];
    const name = archive.toString("utf8", at + 110, at + 110 + nameSize - 1);
    const start = Math.ceil((at + 110 + nameSize) / 4) * 4;
    found.set(name, archive.subarray(start, start + size));
    at = Math.ceil((start + size) / 4) * 4;
  }
  return found;
}
