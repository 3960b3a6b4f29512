import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { promoteImage } from "../../image/channels.ts";
import { sampleManifest } from "../../image/manifest.sample.ts";
import { sampleSite, type SampleSite } from "./site.sample.ts";

const OLD = "2026.11.1+00000001";
const NEW = "2026.11.2+00000002";

let site: SampleSite;
beforeEach(async () => {
  site = await sampleSite();
});
afterEach(() => site[Symbol.asyncDispose]());

/** @param paths of its tree. */
async function built(
  id: string,
  change: Parameters<typeof sampleManifest>[1] &
    Partial<ReturnType<typeof sampleManifest>["missing"][number]> = {},
  paths: readonly string[] = [],
): Promise<void> {
  const directory = join(site.farm.deps.imagesDir, id);
  await mkdir(directory, { recursive: true });
  const missing =
    change.name === undefined
      ? []
      : [{ name: change.name, reason: change.reason ?? "", nextStep: change.nextStep ?? "" }];
  const manifest = { ...sampleManifest(id, change), missing };
  await writeFile(join(directory, "manifest.json"), JSON.stringify(manifest));
  const lines = paths.map((path) => `${JSON.stringify([path, "file", 0o644])}\n`);
  await writeFile(join(directory, "tree.jsonl"), lines.join(""));
}

function pair(a: string, b: string): string {
  return `/images?${new URLSearchParams({ a, b }).toString()}`;
}

test("says that there is none where there is none", async () => {
  expect(await site.text("/images")).toContain("There is no image yet.");
});

test("shows each with its channels, interpreters, tools, and what was left out and why", async () => {
  await built(OLD, { interpreters: ["cpython-3.13"], tools: { uv: "0.9.5" } });
  await built(NEW, {
    interpreters: ["cpython-3.13", "pypy-3.11"],
    name: "cpython-3.15",
    reason: "nobody has\u202e built it",
    nextStep: "wait",
  });
  await promoteImage(site.farm.deps.imagesDir, "stable", OLD);
  const text = await site.text("/images");
  for (const words of [
    `Tests run on <a href="#i-2026.11.1-00000001">${OLD}</a>, with 1 interpreter.`,
    "<strong>stable</strong>",
    "uv 0.9.5",
    "PyPy 3.11",
    "3.11.1",
    "CPython 3.15: nobody has\\u202e built it",
  ])
    expect(text).toContain(words);
  // Who built it is nobody's business.
  expect(text).not.toMatch(/>builder<|by creamery/u);
});

test("shows what differs between two", async () => {
  await built(
    OLD,
    {
      interpreters: ["cpython-3.13", "cpython-2.7"],
      tools: { uv: "0.9.4" },
      packages: { libc6: "2.41" },
    },
    ["usr/bin/a", "usr/bin/b"],
  );
  await built(
    NEW,
    { interpreters: ["cpython-3.13"], tools: { uv: "0.9.5" }, packages: { libc6: "2.42" } },
    ["usr/bin/a", "usr/bin/<b>"],
  );
  const text = await site.text(pair(OLD, NEW));
  for (const words of [
    `From ${OLD} to ${NEW}`,
    "CPython 2.7",
    "gone",
    "0.9.4",
    "0.9.5",
    "libc6",
    "1 gone, 0 changed, 1 new",
    "usr/bin/&lt;b&gt;",
  ])
    expect(text).toContain(words);
  expect(await site.text(pair(OLD, OLD))).toContain("They hold the same.");
});

test("an image that is not there is told as such, also one that would be elsewhere", async () => {
  await built(OLD);
  for (const b of ["2026.11.9+00000000", "../../etc", ""]) {
    const answer = await site.get(pair(OLD, b));
    expect([answer.status, (await answer.text()).includes("there is no such image")], b).toEqual([
      404,
      true,
    ]);
  }
});
