import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import {
  channelImage,
  forgetImage,
  promoteImage,
  readChannels,
  rollbackImage,
} from "./channels.ts";
import { sampleManifest } from "./manifest.sample.ts";

let images = "";
beforeEach(async () => {
  images = await mkdtemp(join(tmpdir(), "creamery-channels-"));
});
afterEach(() => rm(images, { recursive: true, force: true }));

async function make(id: string, ...interpreters: readonly string[]): Promise<void> {
  await mkdir(join(images, id));
  await writeFile(
    join(images, id, "manifest.json"),
    JSON.stringify(sampleManifest(id, { interpreters })),
  );
}
const OLD = "2026.11.1+00000001";
const NEW = "2026.11.2+00000002";

test("a channel points nowhere, then to what was promoted, then back", async () => {
  await make(OLD);
  await make(NEW);
  expect(await channelImage(images, "stable")).toBeNull();
  await promoteImage(images, "stable", OLD);
  await promoteImage(images, "next", NEW);
  await promoteImage(images, "stable", NEW);
  // Once more is no step.
  await promoteImage(images, "stable", NEW);
  expect(await readChannels(images)).toEqual(
    new Map([
      ["stable", NEW],
      ["next", NEW],
    ]),
  );
  expect(await rollbackImage(images, "stable")).toBe(OLD);
  expect((await channelImage(images, "stable"))?.id).toBe(OLD);
  await expect(rollbackImage(images, "stable")).rejects.toMatchObject({ code: "usage" });
  expect((await readdir(images)).toSorted()).toEqual([OLD, NEW, "channels.json"]);
});

test("a rollback passes over what was removed", async () => {
  const ids = ["2026.11.1+0000000a", "2026.11.1+0000000b", "2026.11.1+0000000c"];
  for (const id of ids) {
    await make(id);
    await promoteImage(images, "stable", id);
  }
  await rm(join(images, ids[1] ?? ""), { recursive: true });
  expect(await rollbackImage(images, "stable")).toBe(ids[0]);
});

test("stable never loses an interpreter within a major version", async () => {
  await make(OLD, "cpython-2.7", "cpython-3.13");
  await make(NEW, "cpython-3.13");
  await make("2027.1.1+00000003", "cpython-3.13");
  await promoteImage(images, "stable", OLD);
  await promoteImage(images, "next", NEW);
  await expect(promoteImage(images, "stable", NEW)).rejects.toThrow(/lacks cpython-2\.7, which/u);
  expect((await readChannels(images)).get("stable")).toBe(OLD);
  await promoteImage(images, "stable", "2027.1.1+00000003");
});

test("what stable points to is not removed, and next forgets what is", async () => {
  await make(OLD);
  await make(NEW);
  await promoteImage(images, "stable", OLD);
  await promoteImage(images, "next", NEW);
  await expect(forgetImage(images, OLD)).rejects.toMatchObject({ code: "usage" });
  await forgetImage(images, NEW);
  expect(await readChannels(images)).toEqual(new Map([["stable", OLD]]));
});

test("an image that is not there, or a file that is none, is told", async () => {
  await expect(promoteImage(images, "stable", OLD)).rejects.toMatchObject({
    code: "unknown-image",
  });
  await writeFile(join(images, "channels.json"), "{");
  await expect(readChannels(images)).rejects.toMatchObject({ code: "image-bad" });
});

test("an image that was made without an interpreter of the present one says why, and what to do", async () => {
  await make(OLD, "cpython-3.12", "cpython-3.13");
  const missing = [{ name: "cpython-3.12", reason: "no Maven", nextStep: "install maven" }];
  const manifest = { ...sampleManifest(NEW, { interpreters: ["cpython-3.13"] }), missing };
  await mkdir(join(images, NEW));
  await writeFile(join(images, NEW, "manifest.json"), JSON.stringify(manifest));
  await promoteImage(images, "stable", OLD);
  const refused = promoteImage(images, "stable", NEW);
  await expect(refused).rejects.toMatchObject({ code: "usage", nextStep: "install maven" });
  await expect(refused).rejects.toThrow("(cpython-3.12 was left out when it was built: no Maven)");
});
