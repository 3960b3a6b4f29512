import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";

import { FARM_UID } from "../launcher/directories.ts";
import { CHECKS } from "./contract/checks.ts";
import { FarmUnderTest, GONE_MS } from "./contract/farm-under-test.ts";

const FIRST = Object.keys(CHECKS)[0] ?? "";
const fetched = z.object({ file: z.string(), sizeBytes: z.number() });

describe.each(["container", "gvisor", "qemu"] as const)("the machine kind %s", (kind) => {
  let farm: FarmUnderTest;
  beforeAll(async () => {
    farm = await FarmUnderTest.open(kind);
    // A virtual machine's first start may have to make the snapshot, which is no check's time.
    await farm.ask("check", FIRST);
  }, 15 * 60_000);
  afterAll(async () => {
    await farm[Symbol.asyncDispose]();
  });

  it.each(Object.keys(CHECKS))("%s", async (name) => {
    await farm.ask("check", name);
  });

  it("leaves nothing of all that when its guests are stopped, and nothing at all at its end", async () => {
    // What a pool has too many of is stopped by and by.
    expect(
      await farm.leaksAfter(GONE_MS, (leak) => /\/g\d+|sandbox|gofer|runc/u.test(leak)),
    ).toEqual([]);
    // The checker sees what there is: a launcher that runs.
    expect(farm.leaks().some((leak) => leak.startsWith("process"))).toBe(true);
    expect(await farm.exit(7)).toBe(7);
    expect(await farm.leaksAfter(0)).toEqual([]);
  });
});

describe.each(["container", "gvisor", "qemu"] as const)("a launcher with guests of %s", (kind) => {
  it("leaves nothing running when it is killed, and the next one removes the rest", async () => {
    await using farm = await FarmUnderTest.open(kind);
    await farm.ask("start");
    await farm.ask("start");
    expect(farm.leaks().filter((leak) => leak.startsWith("process")).length).toBeGreaterThan(4);
    farm.process.kill("SIGKILL");
    await farm.ended();
    expect(
      await farm.leaksAfter(
        GONE_MS,
        (leak) => leak.startsWith("process") || leak.startsWith("mount"),
      ),
    ).toEqual([]);
    expect(farm.leaks().some((leak) => leak.startsWith("file"))).toBe(true);
    await using next = await FarmUnderTest.open(kind, { CREAMERY_RUN_DIR: farm.runDirectory });
    await next.ask("start");
    expect(await farm.leaksAfter(GONE_MS, (leak) => leak.includes(farm.session))).toEqual([]);
    expect(await next.exit(0)).toBe(0);
    expect(farm.leaks()).toEqual([]);
  });

  it.each(["SIGTERM", "SIGINT"] as const)("stops them on %s", async (signal) => {
    await using farm = await FarmUnderTest.open(kind);
    await farm.ask("start");
    farm.process.kill(signal);
    await farm.ended();
    expect(await farm.leaksAfter(0)).toEqual([]);
  });
});

describe("the launcher", () => {
  let directory: string;
  let farm: FarmUnderTest;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "creamery-user-"));
    farm = await FarmUnderTest.open("container");
  });
  afterAll(async () => {
    await farm[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  async function request(body: object): Promise<unknown> {
    return await farm.ask("request", JSON.stringify(body));
  }

  it("runs the command line as a user of the farm's own, who can do nothing else", async () => {
    expect(farm.uid).toBe(64123);
    const status = readFileSync(`/proc/${childOf(farm.process.pid)}/status`, "utf8");
    expect(
      /^CapEff:\t0+$/mu.test(status) &&
        /^CapBnd:\t0+$/mu.test(status) &&
        /^NoNewPrivs:\t1$/mu.test(status),
    ).toBe(true);
    expect(/^Groups:\t *$/mu.test(status)).toBe(true);
  });

  it("packs a tree without what is no source", async () => {
    const tree = join(directory, "tree");
    for (const path of ["pkg", ".git", "pkg/__pycache__", "build", "pkg/build"]) {
      mkdirSync(join(tree, path), { recursive: true });
      writeFileSync(join(tree, path, "file"), path);
    }
    const { file, sizeBytes } = fetched.parse(
      await request({ kind: "pack-tree", path: tree, result: "tree", maxBytes: 2 ** 24 }),
    );
    expect(statSync(file).size).toBe(sizeBytes);
    const names = execFileSync("tar", ["-tf", file], { encoding: "utf8" }).split("\n");
    expect(names.filter((name) => name.endsWith("/file"))).toEqual([
      "./pkg/build/file",
      "./pkg/file",
    ]);
    await expect(
      request({
        kind: "pack-tree",
        path: join(directory, "none"),
        result: "none",
        maxBytes: 2 ** 24,
      }),
    ).rejects.toThrow(/no such file or directory/u);
  });

  it("reads a file of the person who asked, bounded, and no more than that person may", async () => {
    const path = join(directory, "a.whl");
    writeFileSync(path, Buffer.alloc(3_000_000, 1), { mode: 0o600 });
    const asking = { kind: "read-user-file", path, result: "wheel", maxBytes: 2 ** 22 } as const;
    const { file, sizeBytes } = fetched.parse(await request(asking));
    expect(sizeBytes).toBe(3_000_000);
    const { mode, uid, gid } = statSync(file);
    expect({ mode: mode & 0o777, uid, gid }).toEqual({ mode: 0o640, uid: 0, gid: FARM_UID });
    await expect(
      request({ kind: "read-user-file", path, result: "wheel-2", maxBytes: 2 ** 21 }),
    ).rejects.toThrow(/larger than/u);
    await expect(
      request({ kind: "read-user-file", path: directory, result: "dir", maxBytes: 2 ** 21 }),
    ).rejects.toThrow(/no file/u);
    await using asked = await FarmUnderTest.open("container", {
      SUDO_UID: "65534",
      SUDO_GID: "65534",
    });
    chmodSync(directory, 0o755);
    const theirs = JSON.stringify({
      kind: "read-user-file",
      path,
      result: "wheel",
      maxBytes: 2 ** 22,
    });
    await expect(asked.ask("request", theirs)).rejects.toThrow(/you may not read it/u);
  });

  it("writes a result as the person who asked, whole or not at all", async () => {
    await farm.ask("exchange", "junit", "<testsuites/>");
    const path = join(directory, "junit.xml");
    await request({ kind: "write-user-file", path, content: "junit" });
    expect(readFileSync(path, "utf8")).toBe("<testsuites/>");
    await expect(
      request({ kind: "write-user-file", path: join(directory, "none/x"), content: "junit" }),
    ).rejects.toThrow(/can't be written/u);
    const mine = mkdtempSync(join(tmpdir(), "creamery-root-"));
    try {
      await using asked = await FarmUnderTest.open("container", {
        SUDO_UID: "65534",
        SUDO_GID: "65534",
      });
      await asked.ask("exchange", "junit", "x");
      const theirs = JSON.stringify({
        kind: "write-user-file",
        path: join(mine, "x"),
        content: "junit",
      });
      await expect(asked.ask("request", theirs)).rejects.toThrow(/can't be written/u);
    } finally {
      rmSync(mine, { recursive: true });
    }
  });

  it("refuses what its protocol does not know, and goes on", async () => {
    for (const body of [
      { kind: "run", argv: ["id"] },
      { kind: "stop-guest", guestId: "../../etc" },
      { kind: "remove-image", imageId: ".." },
      { kind: "remove-image", imageId: "a/b" },
      { kind: "read-user-file", path: "relative", result: "x", maxBytes: 2 ** 21 },
      { kind: "read-user-file", path: "/etc/hostname", result: "../x", maxBytes: 2 ** 21 },
    ]) {
      await expect(request(body)).rejects.toThrow(/refuses a request/u);
    }
    await request({ kind: "probe-runtime", runtime: "container" });
  });

  it("does not follow a link that the farm planted where it writes from", async () => {
    symlinkSync("/etc/shadow", join(farm.session, "exchange", "planted"));
    await expect(
      request({ kind: "write-user-file", path: join(directory, "stolen"), content: "planted" }),
    ).rejects.toThrow(/nothing to write/u);
  });
});

function childOf(pid: number | undefined): string {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
}
