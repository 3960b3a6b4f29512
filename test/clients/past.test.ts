import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";

import { EDGE, UPLOADED } from "../../src/index/past/upload-edges.sample.ts";
import type { HostTools } from "../guest/host-tools.ts";
import { packProjects } from "../guest/pack-projects.ts";
import { startUpstream } from "../upstream/upstream.ts";
import { askPip, askUv } from "./ask-clients.ts";
import { bringUv } from "./bring-client.ts";
import { openMirror } from "./open-mirror.ts";

/** What pip and uv choose of an index by their own options for an instant, and what they choose, unasked, of the mirror at that instant. */

const NAMES = UPLOADED.map((_, index) => `creamery-edge-${index}`);
const EXPECTED = UPLOADED.map(
  ([, , isThere], index) => `${NAMES[index] ?? ""} ${isThere ? "1.0" : "0.1"}`,
);
const ALWAYS = "2004-01-01T00:00:00.000000Z";

let scratch = "";
let uv: HostTools;
let [now, then] = ["", ""];
const opened = new AsyncDisposableStack();
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "creamery-past-"));
  uv = await bringUv(scratch);
  const published = { versions: ["0.1", "1.0"], publish: ["wheel"] } as const;
  const files = packProjects(NAMES.map((name) => ({ name, ...published }))).map((file) => {
    const [, uploaded = ""] = UPLOADED[NAMES.indexOf(file.project)] ?? [];
    return { ...file, uploadTime: file.filename.includes("-1.0-") ? uploaded : ALWAYS };
  });
  const upstream = opened.use(await startUpstream({ files }));
  const mirror = opened.use(await openMirror(join(scratch, "index"), upstream.url));
  now = mirror.index;
  then = `${mirror.origin}/at/${EDGE}/simple/`;
  writeFileSync(join(scratch, "wanted.txt"), `${NAMES.join("\n")}\n`);
});
afterAll(async () => {
  await opened.disposeAsync();
  rmSync(scratch, { recursive: true, force: true });
});

const Report = z.object({
  install: z.array(z.object({ metadata: z.object({ name: z.string(), version: z.string() }) })),
});

/** `NAME VERSION` of what would be installed. */
async function byPip(index: string, ...options: readonly string[]): Promise<string[]> {
  const report = ["--quiet", "--ignore-installed", "--report", "-"];
  const said = await askPip({ tools: uv, directory: scratch, index }, ...report, ...options);
  const { install } = Report.parse(JSON.parse(said));
  return install.map(({ metadata: { name, version } }) => `${name} ${version}`).toSorted(byNumber);
}

async function byUv(index: string, ...options: readonly string[]): Promise<string[]> {
  const said = await askUv({ tools: uv, directory: scratch, index }, ...options);
  return said
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.replace("==", " "))
    .toSorted(byNumber);
}

function byNumber(one: string, other: string): number {
  return Number(/\d+/u.exec(one)?.[0]) - Number(/\d+/u.exec(other)?.[0]);
}

it("pip's --uploaded-prior-to and pip at the instant choose the same", async () => {
  expect(await byPip(now, "--uploaded-prior-to", EDGE)).toEqual(EXPECTED);
  expect(await byPip(then)).toEqual(EXPECTED);
});

it("uv's --exclude-newer and uv at the instant choose the same", async () => {
  expect(await byUv(now, "--exclude-newer", EDGE)).toEqual(EXPECTED);
  expect(await byUv(then)).toEqual(EXPECTED);
});
