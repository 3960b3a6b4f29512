import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";

import { archivePath, findArchive, packImage } from "../../src/image/archive/image-archive.ts";
import type { ImageArchive } from "../../src/image/archive/image-archive.ts";
import { listImages, verifyImage } from "../../src/image/image-store.ts";
import type { ImageManifest } from "../../src/image/manifest.ts";
import { sha256OfFile } from "../../src/base/hash-file.ts";
import { FARM_UID, INCOMING } from "../../src/launcher/directories.ts";
import { Images } from "../../src/launcher/images.ts";
import { sessionFor } from "./session-for.ts";
import { fakeImage } from "./fake-image.ts";

const repository = resolve(import.meta.dirname, "../..");
const { signal } = new AbortController();
let root = "";
let farm: Host;
let worker: Host;
let image: ImageManifest;

interface Host {
  readonly images: Images;
  readonly imagesDir: string;
  readonly archivesDir: string;
  readonly incoming: string;
}

function host(name: string): Host {
  const [cache, data, run] = ["cache", "data", "run"].map((kind) => join(root, name, kind));
  if (cache === undefined || data === undefined || run === undefined) throw new Error("no host");
  for (const path of [join(cache, "images"), join(data, INCOMING), run])
    mkdirSync(path, { recursive: true });
  for (const path of [data, join(data, INCOMING)]) chownSync(path, FARM_UID, FARM_UID);
  const directories = { cache, data, run };
  return {
    images: new Images({ session: sessionFor(repository, run), directories, env: process.env }),
    imagesDir: join(cache, "images"),
    archivesDir: join(cache, "archives"),
    incoming: join(data, INCOMING),
  };
}

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "creamery-archive-"));
  // The farm's user reads below it.
  chmodSync(root, 0o711);
  farm = host("farm");
  worker = host("worker");
  image = await fakeImage(farm.imagesDir);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const onProgress = (): void => undefined;

function pack(onPacked: (bytes: number) => void = onProgress): Promise<ImageArchive> {
  const { imagesDir, archivesDir } = farm;
  const asked = { imagesDir, archivesDir, imageId: image.id, farmGid: FARM_UID, signal };
  return packImage({ ...asked, onPacked });
}

/** As the farm's process lays it there. */
function bring(from: string, sha256: string): void {
  copyFileSync(from, join(worker.incoming, sha256));
  chownSync(join(worker.incoming, sha256), FARM_UID, FARM_UID);
}

function take(archive: Pick<ImageArchive, "sha256" | "unpackedBytes">, imageId = image.id) {
  return worker.images.take({ imageId, ...archive, onProgress, signal });
}

/** Type, mode, owner, time and links of all that is below. */
function listing(directory: string): string {
  const format = "%P %y %m %U %G %T@ %n %l\n";
  return execFileSync("find", [directory, "-mindepth", "1", "-printf", format], {
    encoding: "utf8",
  })
    .split("\n")
    .toSorted()
    .join("\n");
}

/** Whatever an import that came to nothing could leave. */
function left(): string[] {
  return readdirSync(worker.imagesDir).filter((name) => name !== ".build-lock");
}

test("an image that was packed and taken elsewhere is the same, and is there once it is whole", async () => {
  const archive = await farm.images.pack({ imageId: image.id, onProgress, signal });
  const file = archivePath(farm.archivesDir, archive.sha256);
  expect(await sha256OfFile(file)).toBe(archive.sha256);
  const { mode, uid, gid, size } = statSync(file);
  expect([mode & 0o777, uid, gid, size]).toEqual([0o640, 0, FARM_UID, archive.sizeBytes]);
  bring(file, archive.sha256);
  expect(await take(archive)).toEqual({ imageId: image.id });
  expect(listing(join(worker.imagesDir, image.id, "rootfs"))).toBe(
    listing(join(farm.imagesDir, image.id, "rootfs")),
  );
  expect(await verifyImage(worker.imagesDir, image.id)).toMatchObject({ sound: true });
  expect(await listImages(worker.imagesDir)).toEqual([image]);
  expect(left()).toEqual([image.id]);
});

test("a tree that came from elsewhere, with programs that run as root, is for root and the farm alone", async () => {
  const archive = await pack();
  bring(archivePath(farm.archivesDir, archive.sha256), archive.sha256);
  await take(archive);
  const directory = join(worker.imagesDir, image.id);
  expect(lstatSync(join(directory, "rootfs/usr/bin/su")).mode & 0o7777).toBe(0o4755);
  const { mode, uid, gid } = statSync(directory);
  expect([mode & 0o777, uid, gid]).toEqual([0o750, 0, FARM_UID]);
});

test("an archive is made once, goes with its image, and half of one is nobody's", async () => {
  const packers = new Set<number>();
  const made = await Promise.all([
    pack(() => packers.add(1)),
    pack(() => packers.add(2)),
    pack(() => packers.add(3)),
  ]);
  expect(new Set(made.map(({ sha256 }) => sha256)).size).toBe(1);
  expect(packers.size).toBe(1);
  const written = statSync(archivePath(farm.archivesDir, made[0].sha256)).mtimeMs;
  await pack();
  expect(statSync(archivePath(farm.archivesDir, made[0].sha256)).mtimeMs).toBe(written);
  writeFileSync(join(farm.archivesDir, ".part-1"), "half");
  writeFileSync(join(farm.archivesDir, `${"0".repeat(64)}.tar.zst`), "of no image");
  await farm.images.remove({ imageId: image.id, files: false, signal });
  expect(await findArchive(farm.archivesDir, image.id)).toBeNull();
  expect(readdirSync(farm.archivesDir)).toEqual([".build-lock"]);
  expect(existsSync(join(farm.imagesDir, image.id))).toBe(false);
});

test("several who take an image at once have it once", async () => {
  const archive = await pack();
  bring(archivePath(farm.archivesDir, archive.sha256), archive.sha256);
  const taken = await Promise.all([take(archive), take(archive), take(archive)]);
  expect(taken).toEqual(Array.from({ length: 3 }, () => ({ imageId: image.id })));
  expect(left()).toEqual([image.id]);
});

test("an import that is given up leaves nothing, and what a killed one left goes with the next", async () => {
  const archive = await pack();
  bring(archivePath(farm.archivesDir, archive.sha256), archive.sha256);
  const abort = new AbortController();
  const taking = worker.images.take({
    imageId: image.id,
    ...archive,
    onProgress: () => abort.abort(new Error("enough")),
    signal: abort.signal,
  });
  await expect(taking).rejects.toThrow();
  expect(left()).toEqual([]);
  mkdirSync(join(worker.imagesDir, ".building-1/scratch/image/rootfs"), { recursive: true });
  await take(archive);
  expect(left()).toEqual([image.id]);
});

/** Packs the image's directory by hand, changed. */
async function repacked(change: (directory: string) => void, tar: readonly string[] = []) {
  const copy = join(root, "copy");
  execFileSync("cp", ["-a", join(farm.imagesDir, image.id), copy]);
  change(copy);
  const names = readdirSync(copy).toSorted();
  const made = execFileSync(
    "tar",
    [
      "-c",
      "--format=pax",
      "--pax-option=delete=atime,delete=ctime",
      "--sort=name",
      "--numeric-owner",
      ...tar,
      "-C",
      copy,
      ...names,
    ],
    { maxBuffer: 2 ** 28 },
  );
  const file = join(root, "made.tar.zst");
  writeFileSync(file, zstdCompressSync(made));
  const sha256 = await sha256OfFile(file);
  bring(file, sha256);
  return { sha256, unpackedBytes: 2 ** 24 };
}

const rewrite = (path: string, change: (text: string) => string): void =>
  writeFileSync(path, change(readFileSync(path, "utf8")));

test.each<[string, string, (directory: string) => void]>([
  ["a changed file", "image-bad", (at) => rewrite(join(at, "rootfs/usr/bin/su"), () => "x")],
  ["a changed mode", "image-bad", (at) => chmodSync(join(at, "rootfs/usr/lib/shadow"), 0o644)],
  ["a changed owner", "image-bad", (at) => chownSync(join(at, "rootfs/home/job/mine"), 0, 0)],
  [
    "changed byte code",
    "image-bad",
    (at) => writeFileSync(join(at, "rootfs/usr/lib/zwölf.pyc"), ""),
  ],
  ["one file more", "image-bad", (at) => writeFileSync(join(at, "rootfs/more"), "")],
  ["one file less", "image-bad", (at) => rmSync(join(at, "rootfs/usr/lib/shadow"))],
  ["another kernel", "image-bad", (at) => writeFileSync(join(at, "boot/vmlinuz"), "other")],
  [
    "a file that its record knows, and its hash does not",
    "image-bad",
    (at) => {
      writeFileSync(join(at, "rootfs/usr/bin/su"), "x");
      const recorded = JSON.stringify("usr/bin/su");
      rewrite(join(at, "tree.jsonl"), (text) =>
        text
          .split("\n")
          .map((line) => (line.includes(recorded) ? lineOfX(recorded) : line))
          .join("\n"),
      );
    },
  ],
  ["a record that is none", "image-bad", (at) => writeFileSync(join(at, "tree.jsonl"), "{")],
  ["a manifest that is none", "image-bad", (at) => writeFileSync(join(at, "manifest.json"), "{")],
  [
    "another image under this one's id",
    "image-bad",
    (at) =>
      rewrite(join(at, "manifest.json"), (text) => text.replace(image.id, "2026.11.2+00000000")),
  ],
  [
    "an id that is not its tree's",
    "image-bad",
    (at) =>
      rewrite(join(at, "manifest.json"), (text) => text.replace(image.treeSha256, "0".repeat(64))),
  ],
  [
    "a device",
    "bad-archive",
    (at) => void execFileSync("mknod", [join(at, "rootfs/dev"), "c", "1", "3"]),
  ],
  ["a pipe", "bad-archive", (at) => void execFileSync("mkfifo", [join(at, "rootfs/pipe")])],
  ["no record", "bad-archive", (at) => rmSync(join(at, "tree.jsonl"))],
  [
    "a tree that is a link to the host's",
    "bad-archive",
    (at) => {
      rmSync(join(at, "rootfs"), { recursive: true });
      symlinkSync("/", join(at, "rootfs"));
    },
  ],
])("%s is refused, and nothing of it is left", async (_name, code, change) => {
  const archive = await repacked(change);
  await expect(take(archive)).rejects.toMatchObject({ code });
  expect(left()).toEqual([]);
});

/** As the record has a file that holds `x`. */
function lineOfX(recorded: string): string {
  const sha = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
  return `[${recorded},"file","4755",0,0,1,"${sha}"]`;
}

test("an archive that is not the one it is called, is larger than it may be, or is none, is refused", async () => {
  const archive = await pack();
  const file = archivePath(farm.archivesDir, archive.sha256);
  const other = "0".repeat(64);
  bring(file, other);
  await expect(take({ ...archive, sha256: other })).rejects.toMatchObject({
    code: "upstream-hash",
  });
  bring(file, archive.sha256);
  const less = { ...archive, unpackedBytes: archive.unpackedBytes - 20_000 };
  await expect(take(less)).rejects.toMatchObject({ code: "bad-archive" });
  for (const content of ["no zstd at all", "", readFileSync(file).subarray(0, 500)]) {
    writeFileSync(join(worker.incoming, archive.sha256), content);
    await expect(take(archive)).rejects.toMatchObject({ code: "bad-archive" });
  }
  // Zeros without end, in a few bytes.
  writeFileSync(join(worker.incoming, archive.sha256), zstdCompressSync(Buffer.alloc(2 ** 27)));
  await expect(take(archive)).rejects.toMatchObject({ code: "bad-archive" });
  rmSync(join(worker.incoming, archive.sha256));
  await expect(take(archive)).rejects.toMatchObject({ code: "launcher" });
  expect(left()).toEqual([]);
});

test("a sound image is no other's", async () => {
  const archive = await pack();
  bring(archivePath(farm.archivesDir, archive.sha256), archive.sha256);
  await expect(take(archive, "2026.11.2+00000000")).rejects.toMatchObject({ code: "image-bad" });
  expect(left()).toEqual([]);
});

test("what the farm's user may not read is not read for him, whatever he puts in the archive's place", async () => {
  const archive = await pack();
  const secret = join(root, "secret");
  copyFileSync(archivePath(farm.archivesDir, archive.sha256), secret);
  chmodSync(secret, 0o600);
  symlinkSync(secret, join(worker.incoming, archive.sha256));
  await expect(take(archive)).rejects.toMatchObject({ code: "launcher" });
  expect(left()).toEqual([]);
});
