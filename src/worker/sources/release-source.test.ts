import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { makeWheel } from "../../../test/upstream/make-wheel.ts";
import { startUpstream } from "../../../test/upstream/upstream.ts";
import { openIndexService } from "../../index/index-service.ts";
import { sampleUpstreams } from "../../index/upstream/upstreams.sample.ts";
import { resolveRelease } from "./release-source.ts";
import { parseTarget } from "./target.ts";

const signal = new AbortController().signal;
const wheel = (version: string) => ({
  project: "spam",
  filename: `spam-${version}-py3-none-any.whl`,
  content: makeWheel("spam", version, { "spam.py": "" }),
});

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-release-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function resolved(word: string, index: Awaited<ReturnType<typeof openIndexService>>) {
  const target = parseTarget(word);
  if (target.kind !== "release") throw new Error("no release");
  return await resolveRelease(target, index, signal);
}

test("a release that came after the page that is kept is found, and one that is not there is none", async () => {
  let now = Date.now();
  await using upstream = await startUpstream({ files: [wheel("1.0")], maxAgeSeconds: 600 });
  await using index = await openIndexService({
    directory,
    upstreams: await sampleUpstreams({ index: upstream.url }),
    now: () => now,
  });
  expect((await resolved("spam==1.0", index)).version).toBe("1.0");
  upstream.files.push(wheel("1.1"));
  now += 5000;
  expect((await resolved("spam==1.1", index)).version).toBe("1.1");
  await expect(resolved("spam==1.2", index)).rejects.toMatchObject({ code: "unknown-version" });
});

test("a project that is new to its index is found, though it was not there a moment ago", async () => {
  let now = Date.now();
  await using upstream = await startUpstream({ files: [], maxAgeSeconds: 600 });
  await using index = await openIndexService({
    directory,
    upstreams: await sampleUpstreams({ index: upstream.url }),
    now: () => now,
  });
  await expect(resolved("spam==1.0", index)).rejects.toMatchObject({ code: "unknown-project" });
  upstream.files.push(wheel("1.0"));
  now += 5000;
  expect((await resolved("spam==1.0", index)).version).toBe("1.0");
});
