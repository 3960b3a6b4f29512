import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { owned, temporaryDirectory } from "../../test/owned.ts";
import { CreameryError } from "../base/errors.ts";
import { archivePath } from "../image/archive/image-archive.ts";
import { sampleManifest } from "../image/manifest.sample.ts";
import { INCOMING } from "../launcher/directories.ts";
import { LauncherClient } from "../launcher/client.ts";
import { toLauncherSchema, type LauncherRequest } from "../launcher/protocol.ts";
import { fetchImage, type FetchImageDeps } from "../worker/fetch-image.ts";
import { FarmImageList } from "../worker/farm-images.ts";
import { imageRoutes } from "./images.ts";
import { startLocalFarm, workerToken, type FarmEnv, type LocalFarm } from "./local-farm.sample.ts";

const ID = "2026.11.2+0123abcd";
const ARCHIVE = randomBytes(3 * 1024 * 1024);
const SHA = createHash("sha256").update(ARCHIVE).digest("hex");
const { signal } = new AbortController();
function layImage(imagesDir: string, id = ID): void {
  mkdirSync(join(imagesDir, id), { recursive: true });
  writeFileSync(join(imagesDir, id, "manifest.json"), JSON.stringify(sampleManifest(id)));
}

interface Place {
  readonly farm: LocalFarm;
  readonly imagesDir: string;
  readonly archivesDir: string;
  readonly packed: string[];
  /** Of each request for the archive: how many bytes it may get before its connection is cut. */
  readonly cuts: number[];
  readonly ranges: (string | undefined)[];
}

async function place(sent: Buffer = ARCHIVE): Promise<Place> {
  const imagesDir = temporaryDirectory("images");
  const archivesDir = temporaryDirectory("images");
  layImage(imagesDir);
  const packed: string[] = [];
  const cuts: number[] = [];
  const ranges: (string | undefined)[] = [];
  const routes = imageRoutes({
    imagesDir,
    archivesDir,
    pack: async (id) => {
      packed.push(id);
      await new Promise((resolve) => setTimeout(resolve, 50));
      writeFileSync(archivePath(archivesDir, SHA), sent);
      const note = { id, sha256: SHA, sizeBytes: sent.length, unpackedBytes: 1024 ** 2 };
      writeFileSync(join(archivesDir, `${id}.json`), JSON.stringify(note));
    },
    signal,
  });
  const farm = await startLocalFarm((api) => {
    api.use("/worker/images/:id/archive", async (context, next) => {
      ranges.push(context.req.header("range"));
      const cut = cuts.shift();
      if (cut !== undefined) cutAfter(context.env, cut);
      await next();
    });
    api.route("/worker", routes);
  });
  owned(farm);
  return { farm, imagesDir, archivesDir, packed, cuts, ranges };
}

/** The connection goes after so many bytes. */
function cutAfter({ outgoing }: FarmEnv["Bindings"], bytes: number): void {
  const write = outgoing.write.bind(outgoing);
  let sent = 0;
  outgoing.write = (chunk: Buffer, ...rest: unknown[]) => {
    sent += chunk.length;
    if (sent <= bytes) return Reflect.apply(write, outgoing, [chunk, ...rest]) === true;
    write(chunk.subarray(0, bytes + chunk.length - sent), () => outgoing.destroy());
    return false;
  };
}

interface Worker {
  readonly deps: FetchImageDeps;
  readonly asked: LauncherRequest[];
  readonly incoming: string;
  readonly imagesDir: string;
  readonly steps: string[];
}

/** A worker whose launcher takes what it is given, or refuses it with this. */
async function worker(farm: LocalFarm, refuses?: CreameryError): Promise<Worker> {
  const directories = { cache: temporaryDirectory("images"), data: temporaryDirectory("images") };
  const imagesDir = join(directories.cache, "images");
  mkdirSync(imagesDir);
  const asked: LauncherRequest[] = [];
  const steps: string[] = [];
  const launcher: LauncherClient = new LauncherClient("/nowhere", (message) => {
    const sent = toLauncherSchema.parse(message);
    if (!("request" in sent) || sent.request.kind !== "import-image") return;
    asked.push(sent.request);
    const { imageId, sha256 } = sent.request;
    const content = readFileSync(join(directories.data, INCOMING, sha256));
    expect(createHash("sha256").update(content).digest("hex")).toBe(sha256);
    if (refuses === undefined) layImage(imagesDir, imageId);
    const { id } = sent;
    setImmediate(() =>
      launcher.receive(
        refuses === undefined
          ? { id, value: { imageId } }
          : { id, error: { code: refuses.code, reason: refuses.message } },
      ),
    );
  });
  const client = await farm.worker(`w${Math.random().toString(36).slice(2)}`);
  return {
    asked,
    imagesDir,
    steps,
    incoming: join(directories.data, INCOMING),
    deps: {
      farm: client,
      launcher,
      directories,
      signal,
      pauseMs: 1,
      onProgress: ({ step }) => {
        if (steps.at(-1) !== step) steps.push(step);
      },
    },
  };
}

const lying = (incoming: string): string[] =>
  readdirSync(incoming).filter((name) => name !== ".build-lock");

test("an image is fetched by its hash, given to the launcher, and asked for no more", async () => {
  const { farm, packed } = await place();
  const { deps, asked, incoming, steps } = await worker(farm);
  expect(await fetchImage(ID, deps)).toMatchObject({ id: ID });
  expect(asked).toEqual([
    { kind: "import-image", imageId: ID, sha256: SHA, unpackedBytes: 1024 ** 2 },
  ]);
  expect(steps).toEqual(["pack", "fetch", "import"]);
  expect(lying(incoming)).toEqual([]);
  const before = farm.requests.length;
  await fetchImage(ID, deps);
  expect([farm.requests.length, asked.length, packed.length]).toEqual([before, 1, 1]);
});

test("workers that ask at once have the image packed once, and one host fetches it once", async () => {
  const { farm, packed, ranges } = await place();
  const workers = await Promise.all([worker(farm), worker(farm), worker(farm)]);
  await Promise.all(workers.flatMap(({ deps }) => [fetchImage(ID, deps), fetchImage(ID, deps)]));
  expect(packed).toEqual([ID]);
  expect(ranges).toHaveLength(3);
  for (const { asked, steps } of workers) {
    expect(asked).toHaveLength(1);
    expect(steps).toContain("wait");
  }
});

test("what breaks off goes on where it was", async () => {
  const { farm, cuts, ranges } = await place();
  const { deps, asked } = await worker(farm);
  cuts.push(1_000_000, 500_000, 0);
  await fetchImage(ID, deps);
  expect(asked).toHaveLength(1);
  expect(ranges.length).toBeGreaterThanOrEqual(4);
  expect(ranges[0]).toBeUndefined();
  const starts = ranges.slice(1).map((range) => Number(/^bytes=(\d+)-$/u.exec(range ?? "")?.[1]));
  expect(starts[0]).toBeGreaterThan(0);
  expect(starts).toEqual(starts.toSorted((left, right) => left - right));
});

test("what an ended process has fetched is not fetched again, and what is wrong of it is not believed", async () => {
  const { farm, ranges } = await place();
  const one = await worker(farm);
  mkdirSync(one.incoming);
  writeFileSync(join(one.incoming, `${SHA}.part`), ARCHIVE.subarray(0, 2_000_000));
  writeFileSync(join(one.incoming, `${"0".repeat(64)}.part`), "of an image that nobody wants");
  await fetchImage(ID, one.deps);
  expect(ranges).toEqual(["bytes=2000000-"]);
  expect(lying(one.incoming)).toEqual([]);
  const other = await worker(farm);
  mkdirSync(other.incoming);
  writeFileSync(join(other.incoming, `${SHA}.part`), Buffer.alloc(2_000_000));
  await expect(fetchImage(ID, other.deps)).rejects.toMatchObject({ code: "upstream-hash" });
  expect([lying(other.incoming), other.asked]).toEqual([[], []]);
  await fetchImage(ID, other.deps);
  const long = await worker(farm);
  mkdirSync(long.incoming);
  writeFileSync(join(long.incoming, `${SHA}.part`), Buffer.alloc(ARCHIVE.length + 1));
  await fetchImage(ID, long.deps);
});

test("an archive that is not what it is called is refused before root sees it", async () => {
  const wrong = Buffer.from(ARCHIVE);
  wrong.writeUInt8(wrong.readUInt8(1000) ^ 1, 1000);
  const { farm } = await place(wrong);
  const { deps, asked, incoming } = await worker(farm);
  await expect(fetchImage(ID, deps)).rejects.toMatchObject({ code: "upstream-hash" });
  expect([asked, lying(incoming)]).toEqual([[], []]);
});

test("a farm that brings nothing any more is given up, and what came stays for the next try", async () => {
  const { farm, cuts } = await place();
  const { deps, incoming } = await worker(farm);
  cuts.push(1_000_000, ...Array.from({ length: 100 }, () => 0));
  await expect(fetchImage(ID, deps)).rejects.toMatchObject({ code: "no-network" });
  expect(lying(incoming)).toEqual([`${SHA}.part`]);
  expect(statSync(join(incoming, `${SHA}.part`)).size).toBeGreaterThan(0);
});

test("what the launcher refuses as bad is not kept; what it could not take for want of room is", async () => {
  const { farm } = await place();
  for (const [code, kept] of [
    ["image-bad", []],
    ["bad-archive", []],
    ["disk-full", [SHA]],
  ] as const) {
    const { deps, incoming } = await worker(farm, new CreameryError(code, "no"));
    await expect(fetchImage(ID, deps)).rejects.toMatchObject({ code });
    expect(lying(incoming)).toEqual(kept);
  }
});

test("a fetch ends when it is not wanted any more, and nobody waits for it then", async () => {
  const { farm } = await place();
  const { deps, asked } = await worker(farm);
  const abort = new AbortController();
  const stopping: FetchImageDeps = {
    ...deps,
    signal: abort.signal,
    onProgress: ({ step }) => {
      if (step === "fetch") abort.abort(new CreameryError("interrupted", "enough"));
    },
  };
  await expect(fetchImage(ID, stopping)).rejects.toThrow(/enough/u);
  expect(asked).toEqual([]);
  await fetchImage(ID, deps);
});

test("an image that the farm has not, or no more, is unknown; an id that is none gets nowhere", async () => {
  const { farm, imagesDir, archivesDir, packed } = await place();
  const { deps } = await worker(farm);
  await expect(fetchImage("2026.11.2+ffffffff", deps)).rejects.toMatchObject({
    code: "unknown-image",
  });
  for (const id of ["..%2f..%2fetc", ".build-lock", "a..b", "%00"]) {
    const headers = { authorization: `Bearer ${workerToken("a")}` };
    for (const path of [`worker/images/${id}`, `worker/images/${id}/archive`])
      expect((await fetch(`${farm.url}/api/v1/${path}`, { headers })).status).toBe(404);
  }
  expect(packed).toEqual([]);
  await fetchImage(ID, deps);
  await rm(join(imagesDir, ID), { recursive: true });
  expect(existsSync(archivePath(archivesDir, SHA))).toBe(true);
  const other = await worker(farm);
  await expect(fetchImage(ID, other.deps)).rejects.toMatchObject({ code: "unknown-image" });
});

test("the list of images says which are packed, and whether it has changed", async () => {
  const { farm } = await place();
  const client = await farm.worker("a");
  const listed = await client.json({ path: "worker/images", signal }, FarmImageList);
  expect(listed).toEqual({
    images: [{ id: ID, target: "linux-x86_64", treeSha256: "a".repeat(64), archive: null }],
  });
  using first = await client.request({ path: "worker/images", signal });
  const etag = first.headers.etag ?? "";
  using same = await client.request({
    path: "worker/images",
    headers: { "if-none-match": etag },
    signal,
  });
  expect(same.status).toBe(304);
  await fetchImage(ID, (await worker(farm)).deps);
  const after = await client.json({ path: "worker/images", signal }, FarmImageList);
  expect(after.images[0]?.archive).toMatchObject({ sha256: SHA, sizeBytes: ARCHIVE.length });
});

test("an archive is served by ranges, for reading alone", async () => {
  const { farm } = await place();
  const at = (init: RequestInit) =>
    fetch(`${farm.url}/api/v1/worker/images/${encodeURIComponent(ID)}/archive`, init);
  const headers = { authorization: `Bearer ${workerToken("a")}` };
  const part = await at({ headers: { ...headers, range: "bytes=100-199" } });
  expect([part.status, part.headers.get("etag")]).toEqual([206, `"${SHA}"`]);
  expect(part.headers.get("content-range")).toBe(`bytes 100-199/${ARCHIVE.length}`);
  expect(Buffer.from(await part.arrayBuffer()).equals(ARCHIVE.subarray(100, 200))).toBe(true);
  expect((await at({ headers: { ...headers, range: "bytes=99999999-" } })).status).toBe(416);
  expect((await at({ headers, method: "HEAD" })).status).toBe(405);
  expect((await at({})).status).toBe(401);
});
