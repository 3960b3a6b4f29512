import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { definitionHash } from "../../src/image/definition-hash.ts";
import { currentImage, loadImage } from "../../src/image/image-store.ts";
import { parseLock, renderLock, type ImageLock } from "../../src/image/lock/image-lock.ts";
import { isByteCode, pathOf } from "../../src/image/tree-hash.ts";
import { directoriesFrom } from "../../src/launcher/directories.ts";
import { CommandRoom, REPOSITORY } from "./run-command.ts";
import { mountSmallDisk } from "./small-disk.ts";

/** The host's image, built again out of its lock by the whole command, where there is no network at all. */

const FULL = (process.env["CREAMERY_TEST_FULL"] ?? "") !== "";
const HOST = directoriesFrom(process.env);
const IMAGES = join(HOST.cache, "images");
/** Starts a command where no network is but a loopback, and not where there is. */
const NOWHERE = [
  "unshare",
  "--net",
  "sh",
  "-c",
  'test "$(grep -c : /proc/net/dev)" = 1 && exec "$@"',
  "sh",
];
const BUILD_MS = 600_000;

describe("an image's lock", () => {
  const room = new CommandRoom("locks");
  const lockFile = join(room.base, "image.lock");
  let lock: ImageLock;

  beforeAll(async () => {
    const definition = await definitionHash(join(REPOSITORY, "images/linux-x86_64"));
    const { id = "next" } = (await currentImage(IMAGES, definition)) ?? {};
    const written = await room.run(["image", "lock", id, lockFile]);
    if (written.code !== 0) throw new Error(`the host's image has no lock: ${written.stderr}`);
    lock = parseLock(readFileSync(lockFile, "utf8"), lockFile);
  });
  afterAll(async () => await room[Symbol.asyncDispose]());

  /** A cache with the host's tools and no image. */
  function emptyCache(name: string): string {
    const cache = join(room.base, name, "cache");
    mkdirSync(cache, { recursive: true });
    symlinkSync(join(HOST.cache, "tools"), join(cache, "tools"));
    return cache;
  }

  /** A data directory with what the host's bucket keeps of images. */
  function copyOfKept(name: string): string {
    const data = join(room.base, name, "data");
    mkdirSync(join(room.base, name));
    const script =
      'install -d -o "$3" -g "$3" "$2" "$2/bucket" && cp -a "$1/bucket/image-files" "$2/bucket/"';
    execFileSync("sh", ["-c", script, "sh", HOST.data, data, "64123"]);
    return data;
  }

  function rebuild(cache: string, file = lockFile, env: NodeJS.ProcessEnv = {}) {
    return room.start(["image", "build", "--locked", file], {
      through: NOWHERE,
      env: { CREAMERY_CACHE_DIR: cache, CREAMERY_DATA_DIR: HOST.data, ...env },
    });
  }

  function edited(name: string, change: Partial<ImageLock>): string {
    const path = join(room.base, name);
    writeFileSync(path, renderLock({ ...lock, ...change }));
    return path;
  }

  /** Of a build, whole or half. */
  function leftIn(cache: string): string[] {
    return readdirSync(join(cache, "images")).filter((name) => name !== ".build-lock");
  }

  function linesOf(path: string): string[] {
    const lines = readFileSync(path, "utf8").trim().split("\n");
    return lines.filter((line) => !isByteCode(pathOf(line)));
  }

  it.each(["first", "second/and deeper"])(
    "builds it again bit for bit, with no network and in another directory: %s",
    { timeout: BUILD_MS },
    async (name) => {
      const cache = emptyCache(name);
      const images = join(cache, "images");
      const ended = await rebuild(cache).ended;
      expect(ended, ended.stderr).toMatchObject({ code: 0, stdout: `built ${lock.id}\n` });
      const [before, again] = [IMAGES, images].map((at) =>
        linesOf(join(at, lock.id, "tree.jsonl")),
      );
      expect(again?.filter((line, index) => line !== before?.[index])).toEqual([]);
      expect(again).toHaveLength(before?.length ?? 0);
      const [first, second] = [await loadImage(IMAGES, lock.id), await loadImage(images, lock.id)];
      expect(second.treeSha256).toBe(lock.treeSha256);
      for (const key of ["packages", "interpreters", "missing", "tools"] as const)
        expect(second[key]).toEqual(first[key]);
      const env = { CREAMERY_CACHE_DIR: cache };
      const removed = await room.run(["image", "rm", lock.id], { env });
      expect(removed.stdout).toMatch(
        /^removed \S+; its lock and \d+ MB of kept files, which no other lock names, stay until `image rm --files /u,
      );
      expect(existsSync(join(images, lock.id))).toBe(false);
      const listed = await room.run(["image", "list"], { env });
      expect(listed.stdout).toContain(`${lock.id}  removed; its lock and files are kept`);
      const written = await room.run(["image", "lock", lock.id], { env });
      expect(written.stdout).toBe(readFileSync(lockFile, "utf8"));
      rmSync(cache, { recursive: true });
    },
  );

  it("is told at once how many of its files are not kept, and which", async () => {
    const cache = emptyCache("nothing-kept");
    const env = { CREAMERY_DATA_DIR: room.dataDirectory };
    const ended = await rebuild(cache, lockFile, env).ended;
    expect(ended.code, ended.stderr).toBe(3);
    expect(ended.stderr).toMatch(
      /^creamery: .*data: (\d+) of \1 files of the lock are not kept: customize\.sh \([0-9a-f]{64}\), .* more; put /mu,
    );
    expect(leftIn(cache)).toEqual([]);
  });

  it("is not built from a kept file of which a bit was flipped, and the file is named", async () => {
    const cache = emptyCache("flipped");
    const data = copyOfKept("flipped-data");
    const [doomed] = lock.packages;
    const path = join(data, "bucket/image-files", doomed?.sha256 ?? "");
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000);
    writeFileSync(path, bytes);
    const ended = await rebuild(cache, lockFile, { CREAMERY_DATA_DIR: data }).ended;
    expect(ended.code, ended.stderr).toBe(3);
    expect(ended.stderr).toContain(
      `${doomed?.name} ${doomed?.version} ${doomed?.architecture} (${doomed?.sha256}): a kept file is damaged`,
    );
    expect(leftIn(cache)).toEqual([]);
    rmSync(data, { recursive: true });
  });

  it("is not built where it calls a package by another's name", { timeout: BUILD_MS }, async () => {
    const cache = emptyCache("swapped");
    const [one, other, ...rest] = lock.packages;
    const packages = [one, other].flatMap((file, index) => {
      const names = [other, one][index];
      return file === undefined || names === undefined
        ? []
        : [{ ...names, sha256: file.sha256, sizeBytes: file.sizeBytes }];
    });
    const file = edited("swapped.lock", { packages: [...packages, ...rest] });
    const ended = await rebuild(cache, file).ended;
    expect(ended.code, ended.stderr).toBe(3);
    expect(ended.stderr).toContain(`the lock calls a file ${other?.name} ${other?.version}`);
    expect(leftIn(cache)).toEqual([]);
  });

  it("whose definition was put together anew is refused before anything of it is run", async () => {
    const cache = emptyCache("definition");
    const files = lock.definition.files.slice(0, -1);
    const file = edited("definition.lock", { definition: { ...lock.definition, files } });
    const ended = await rebuild(cache, file).ended;
    expect(ended.code, ended.stderr).toBe(3);
    expect(ended.stderr).toContain("definition is not the one that it says it is");
    expect(leftIn(cache)).toEqual([]);
  });

  it("of another architecture is told so", async () => {
    const cache = emptyCache("foreign");
    const packages = lock.packages.map((one) => ({ ...one, architecture: "riscv64" }));
    const file = edited("foreign.lock", { packages, architecture: "riscv64" });
    const ended = await rebuild(cache, file).ended;
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toMatch(/the lock is of an image for riscv64, and this host is /u);
  });

  it("is read with the rights of the person who asked", async () => {
    const cache = emptyCache("person");
    chmodSync(lockFile, 0o600);
    const ended = await rebuild(cache, lockFile, { SUDO_UID: "65534", SUDO_GID: "65534" }).ended;
    chmodSync(lockFile, 0o644);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toContain("you may not read it");
  });

  it("leaves nothing where the build is interrupted", { timeout: BUILD_MS }, async () => {
    const cache = emptyCache("interrupted");
    const running = rebuild(cache);
    await running.said(/packages: installing/u);
    process.kill(-running.pid, "SIGINT");
    const ended = await running.ended;
    expect(ended.code, ended.stderr).toBe(130);
    expect(ended.leaks).toEqual([]);
    expect(leftIn(cache)).toEqual([]);
  });

  it("needs room for the files, which a build asks for before it fetches any", async () => {
    const cache = emptyCache("small");
    await using disk = await mountSmallDisk(room.dataDirectory, room.base);
    const env = { CREAMERY_CACHE_DIR: cache };
    const through = [...disk.through, ...NOWHERE];
    const ended = await room.run(["image", "build"], { env, through });
    expect(ended.code, ended.stderr).toBe(3);
    expect(ended.stderr).toMatch(
      /data: what an image is made of needs 0\.8 GB, and 0\.0 GB are free; free some space, or set \[directories\] data/u,
    );
    expect(leftIn(cache)).toEqual([]);
  });

  it.runIf(FULL)(
    "that promises another tree fails, and its image is not there",
    { timeout: BUILD_MS },
    async () => {
      const cache = emptyCache("promised");
      const treeSha256 = "f".repeat(64);
      const file = edited("promised.lock", {
        treeSha256,
        id: lock.id.replace(/\+.*$/u, "+ffffffff"),
      });
      const ended = await rebuild(cache, file).ended;
      expect(ended.code, ended.stderr).toBe(3);
      expect(ended.stderr).toContain(
        `gave a tree of sha256 ${lock.treeSha256}, where the lock has`,
      );
      expect(leftIn(cache)).toEqual([]);
    },
  );
});
