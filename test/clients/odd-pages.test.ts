import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, expect, it } from "vitest";

import { ODD } from "../../src/index/page/odd-files.sample.ts";
import { packProjects } from "../guest/pack-projects.ts";
import { startUpstream } from "../upstream/upstream.ts";
import { askPip, askUv, type Asked } from "./ask-clients.ts";
import { bringUv } from "./bring-client.ts";
import { openMirror } from "./open-mirror.ts";

const scratch = mkdtempSync(join(tmpdir(), "creamery-odd-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

it("a page that no client could read, of what its index says of old files, is one for pip and uv by way of the mirror", async () => {
  const uv = await bringUv(scratch);
  const odd = ODD.map((_, index) => `1.${index}`);
  const [project] = [
    { name: "creamery-odd", versions: [...odd, "2.0"], publish: ["wheel"] as const },
  ];
  const files = packProjects([project]).map((file) => {
    const [, minor = "-1"] = /-1\.(\d+)-/u.exec(file.filename) ?? [];
    return { ...file, extra: ODD[Number(minor)]?.[0] ?? {} };
  });
  await using upstream = await startUpstream({ files });
  await using mirror = await openMirror(join(scratch, "index"), upstream.url);
  writeFileSync(join(scratch, "wanted.txt"), "creamery-odd\n");
  const at = (index: string): Asked => ({ tools: uv, directory: scratch, index });
  await expect(askUv(at(upstream.url))).rejects.toThrow("unexpected JSON");
  await expect(askPip(at(upstream.url))).rejects.toThrow("Traceback");
  expect(await askUv(at(mirror.index))).toBe("creamery-odd==2.0\n");
  expect(await askPip(at(mirror.index))).toContain("Would install creamery-odd-2.0");
});
