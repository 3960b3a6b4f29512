import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";

import { afterEach, beforeEach, expect, it } from "vitest";
import { z } from "zod";

import { sampleManifest } from "./manifest.sample.ts";
import { archiveBytes, layOciImage, layoutArchive } from "./oci-layout.ts";

const signal = new AbortController().signal;
const EPOCH = 1_793_491_200;
const created = new Date(EPOCH * 1000);
let base: string;
let rootfs: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "creamery-oci-"));
  rootfs = join(base, "rootfs");
  mkdirSync(join(rootfs, "usr", "bin"), { recursive: true });
  writeFileSync(join(rootfs, "usr", "bin", "tool"), "#!/bin/sh\n");
  chmodSync(join(rootfs, "usr", "bin", "tool"), 0o755);
  for (const path of ["usr/bin/tool", "usr/bin", "usr", ""])
    utimesSync(join(rootfs, path), EPOCH, EPOCH);
});
afterEach(() => rmSync(base, { recursive: true }));

async function archive(name: string): Promise<Buffer> {
  const directory = join(base, name);
  mkdirSync(directory);
  const image = sampleManifest("2026.11.1+00000000");
  await layOciImage({ image, rootfs, created, directory, signal });
  const packed = await buffer(layoutArchive(directory, created, signal));
  expect(await archiveBytes(directory)).toBe(packed.length);
  return packed;
}

const read = (...path: string[]) => readFileSync(join(base, ...path));
const hex = (content: Buffer) => createHash("sha256").update(content).digest("hex");

it("names each blob by what it holds, for both kinds of container tools", async () => {
  await archive("a");
  const Docker = z.tuple([
    z.object({ Config: z.string(), Layers: z.tuple([z.string()]), RepoTags: z.array(z.string()) }),
  ]);
  const [docker] = Docker.parse(JSON.parse(read("a", "manifest.json").toString()));
  expect(docker.RepoTags).toEqual(["creamery/linux-x86_64:2026.11.1-00000000"]);
  const layer = read("a", docker.Layers[0]);
  expect(docker.Layers[0]).toBe(`blobs/sha256/${hex(layer)}`);
  const config = read("a", docker.Config);
  expect(docker.Config).toBe(`blobs/sha256/${hex(config)}`);
  expect(JSON.parse(config.toString())).toMatchObject({
    architecture: "amd64",
    os: "linux",
    created: "2026-11-01T00:00:00.000Z",
    rootfs: { diff_ids: [`sha256:${hex(gunzipSync(layer))}`] },
  });
  const index: unknown = JSON.parse(read("a", "index.json").toString());
  const digest = z.object({ manifests: z.tuple([z.object({ digest: z.string() })]) }).parse(index)
    .manifests[0].digest;
  expect(JSON.parse(read("a", "blobs", "sha256", digest.slice(7)).toString())).toMatchObject({
    config: { digest: `sha256:${hex(config)}`, size: config.length },
    layers: [{ digest: `sha256:${hex(layer)}`, size: layer.length }],
  });
  writeFileSync(join(base, "layer.tar"), gunzipSync(layer));
  const listed = execFileSync("tar", ["-tf", join(base, "layer.tar")], { encoding: "utf8" });
  expect(listed).toBe("./\n./usr/\n./usr/bin/\n./usr/bin/tool\n");
});

it("gives the same bytes for the same image", async () => {
  expect(hex(await archive("a"))).toBe(hex(await archive("b")));
});

it("says which image can't be packed", async () => {
  rmSync(rootfs, { recursive: true });
  mkdirSync(join(base, "a"));
  const image = sampleManifest("2026.11.1+00000000");
  const packed = layOciImage({ image, rootfs, created, directory: join(base, "a"), signal });
  await expect(packed).rejects.toThrow(/no such file/iu);
});

it("ends when it is given up in the middle, and leaves no error to nobody", async () => {
  writeFileSync(join(rootfs, "large"), Buffer.alloc(8 << 20));
  mkdirSync(join(base, "a"));
  const giveUp = new AbortController();
  const image = sampleManifest("2026.11.1+00000000");
  const onPacked = () => giveUp.abort();
  const request = { image, rootfs, created, directory: join(base, "a"), onPacked };
  const packed = layOciImage({ ...request, signal: giveUp.signal });
  await expect(packed).rejects.toMatchObject({ name: "AbortError" });
});
