import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

import { startUpstream, type DistFile } from "../../test/upstream/upstream.ts";
import { takeInventory } from "./cache/inventory.ts";
import { verifyIndex } from "./cache/verify-index.ts";
import { openIndexService } from "./index-service.ts";
import { sampleUpstreams } from "./upstream/upstreams.sample.ts";

const signal = new AbortController().signal;
const PROJECTS = 40;
const files: readonly DistFile[] = Array.from({ length: PROJECTS }, (_, at) => ({
  project: `spam-${at}`,
  filename: `spam_${at}-1.0.tar.gz`,
  content: Buffer.alloc(60_000 + at, `content of ${at} `),
}));

/** Fetches all pages and files, as an attempt's index does. */
const CHILD = `
import { openIndexService } from ${JSON.stringify(resolve(import.meta.dirname, "index-service.ts"))};
const [directory, url] = process.argv.slice(1);
const { signal } = new AbortController();
const service = await openIndexService({
  directory,
  upstreams: {
    indexes: [{ url, authorization: null, insecure: false }],
    crates: null,
    transport: { ca: undefined, clientCert: undefined, proxy: null },
  },
});
await Promise.all(Array.from({ length: ${PROJECTS} }, async (_, at) => {
  const page = await service.project("spam-" + at, signal);
  await service.fetchFile(page, page.files[0], signal);
}));
`;

test(
  "whoever fetches and is killed, at any instant, leaves nothing wrong, and the next one goes on from there",
  { timeout: 60_000 },
  async () => {
    await using upstream = await startUpstream({ files });
    const directory = mkdtempSync(join(tmpdir(), "creamery-killed-"));
    try {
      // Pages first, files later, and between the two halves of either.
      for (const asked of [2, 25, 50, 70]) {
        upstream.requests.length = 0;
        const argv = ["--input-type=module", "-e", CHILD, directory, upstream.url];
        const child = spawn(process.execPath, argv, { stdio: ["ignore", "ignore", "inherit"] });
        const ended = once(child, "exit");
        while (child.exitCode === null && upstream.requests.length < asked)
          await new Promise((done) => setImmediate(done));
        child.kill("SIGKILL");
        await ended;
        expect(await verifyIndex({ directory, signal })).toMatchObject({ faults: [] });
      }
      const upstreams = await sampleUpstreams({ index: upstream.url });
      await using service = await openIndexService({ directory, upstreams });
      expect(readdirSync(join(directory, "files", "partial"))).toEqual([]);
      for (const { project, content } of files) {
        const page = await service.project(project, signal);
        const [file] = page?.files ?? [];
        if (page === null || file === undefined) throw new Error("no file");
        const { sizeBytes } = await service.fetchFile(page, file, signal);
        expect(sizeBytes).toBe(content.length);
      }
      const { units } = await takeInventory(directory, signal);
      expect(units.filter(({ area }) => area === "files")).toHaveLength(PROJECTS);
      expect(await verifyIndex({ directory, signal })).toMatchObject({ faults: [] });
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
);
