import { readFile, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

import { buildImage } from "./build-image.ts";
import { definitionHash } from "./definition-hash.ts";
import { currentImage, verifyImage } from "./image-store.ts";
import { mountsBelow } from "./remove-tree.ts";
import { runContained, runInRoot } from "./run-contained.ts";
import { pathOf } from "./tree-hash.ts";

const DEFINITION = fileURLToPath(new URL("../../images/linux-x86_64", import.meta.url));
const IMAGES = join(process.env["CREAMERY_CACHE_DIR"] ?? "/var/cache/creamery", "images");
const never = new AbortController().signal;

/** The host's image; built when it is not there yet. */
async function image() {
  return await buildImage({ definitionDir: DEFINITION, imagesDir: IMAGES, signal: never });
}

test("the image is what was built, byte for byte", { timeout: 600_000 }, async () => {
  const { id } = await image();
  expect(await verifyImage(IMAGES, id)).toMatchObject({ sound: true, differences: [] });
});

test(
  "every package has the hash of its archive, every interpreter its full version",
  { timeout: 600_000 },
  async () => {
    const { packages, interpreters, missing, kernel } = await image();
    expect(packages.length).toBeGreaterThan(200);
    expect(packages.filter(({ sha256, name }) => sha256 === null || name === "")).toEqual([]);
    for (const { version, fullVersion } of interpreters)
      expect(fullVersion.startsWith(`${version}.`)).toBe(true);
    // Optional ones may not be had here, and then it is said why.
    const must = ["2.7", "3.9", "3.11", "3.13", "3.14", "3.15"].map(
      (version) => `cpython-${version}`,
    );
    const names = interpreters.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining([...must, "pypy-3.11"]));
    const optional = [...names, ...missing.map(({ name }) => name)];
    expect(optional).toEqual(expect.arrayContaining(["cpython-3.10", "cpython-3.12"]));
    expect(missing.every(({ reason, nextStep }) => reason !== "" && nextStep !== "")).toBe(true);
    for (const { builder, origin, lacks } of interpreters) {
      expect(builder === "debian").toBe(origin.startsWith("debian "));
      expect(lacks).not.toBeNull();
    }
    expect(kernel).not.toBeNull();
  },
);

test("nothing in it says where or when it was built", { timeout: 600_000 }, async () => {
  const { id } = await image();
  const rootfs = join(IMAGES, id, "rootfs");
  expect(await readFile(join(rootfs, "etc/machine-id"), "utf8")).toBe("");
  expect(await readFile(join(rootfs, "etc/resolv.conf"), "utf8")).toBe("");
  for (const path of [
    "var/lib/apt/lists",
    "etc/apt/sources.list.d",
    "var/log",
    "var/cache",
    "dev",
    "tmp",
  ]) {
    expect(await readdir(join(rootfs, path)), path).toEqual([]);
  }
});

test(
  "what was brought is root's in the image, and has its byte code",
  { timeout: 600_000 },
  async () => {
    const { id, interpreters } = await image();
    const lines = (await readFile(join(IMAGES, id, "tree.jsonl"), "utf8")).trim().split("\n");
    for (const { builder, executable } of interpreters) {
      if (builder === "debian") continue;
      const tree = executable.replace(/^\/|bin\/[^/]*$/gu, "");
      const files = lines.filter((line) => pathOf(line).startsWith(tree));
      expect(files.some((line) => /\/__pycache__\/os\.[^/]*\.pyc$/u.test(pathOf(line)))).toBe(true);
      expect(files.filter((line) => !/^\["[^"]*","\w+","[0-7]+",0,0,/u.test(line))).toEqual([]);
    }
  },
);

test("the current image is found at once", { timeout: 600_000 }, async () => {
  const { id } = await image();
  const definition = await definitionHash(DEFINITION);
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const begun = performance.now();
    expect((await currentImage(IMAGES, definition))?.id).toBe(id);
    times.push(performance.now() - begun);
  }
  // Its tree, which takes seconds, is not looked at.
  expect(Math.min(...times)).toBeLessThan(200);
});

test(
  "in a root, a command sees no network but its own loopback, and what it writes to /tmp is gone",
  { timeout: 600_000 },
  async () => {
    const { id } = await image();
    const rootfs = join(IMAGES, id, "rootfs");
    const { code, tail } = await runInRoot({
      rootfs,
      argv: ["sh", "-c", "touch /tmp/left && id -u && grep -c : /proc/net/dev"],
      owner: "1000:1000",
      deadlineMs: 60_000,
      signal: never,
    });
    expect({ code, tail }).toEqual({ code: 0, tail: ["1000", "1"] });
    expect(await readdir(join(rootfs, "tmp"))).toEqual([]);
  },
);

test("an aborted build leaves no tree, no mount and no process", { timeout: 600_000 }, async () => {
  const images = await mkdtemp(join(tmpdir(), "images-"));
  const abort = new AbortController();
  const building = buildImage({
    definitionDir: DEFINITION,
    imagesDir: images,
    signal: abort.signal,
    onProgress: ({ step }) => {
      if (step === "packages") setTimeout(() => abort.abort(new Error("enough")), 3000);
    },
  });
  await expect(building).rejects.toThrow("enough");
  expect((await readdir(images)).filter((name) => name !== ".build-lock")).toEqual([]);
  expect(mountsBelow(await readFile("/proc/self/mountinfo", "utf8"), images)).toEqual([]);
  const { tail } = await runContained({
    argv: ["true"],
    env: { PATH: "/usr/bin:/bin" },
    network: false,
    deadlineMs: 60_000,
    signal: never,
  });
  expect(tail).toEqual([]);
  const commands = await Promise.all(
    (await readdir("/proc"))
      .filter((name) => /^\d+$/u.test(name))
      .map((pid) => readFile(join("/proc", pid, "cmdline"), "utf8").catch(() => "")),
  );
  expect(commands.filter((command) => command.includes(images))).toEqual([]);
  await rm(images, { recursive: true });
});
