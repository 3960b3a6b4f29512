import { createHash } from "node:crypto";
import { truncate } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

import {
  PAGE_TYPE,
  rowOf,
  sends,
  sendsFile,
  sendsPage,
  type BadUpstream,
} from "../../../test/upstream/bad-upstream.ts";
import { askSocket } from "../serve/ask-socket.sample.ts";
import {
  content,
  expectUnpoisoned,
  FILE,
  HONEST,
  openAgain,
  other,
  pageOf,
  row,
  sha,
  trying,
} from "./bad-upstreams.sample.ts";
import { verifyIndex } from "../cache/verify-index.ts";

const signal = new AbortController().signal;

test("a file whose hash changes on its page: the old bytes stay under their hash, the new are another file, and users hear of it", async () => {
  const tried = await trying(HONEST);
  await tried.page();
  expect((await tried.file()).whole).toBe(true);
  expect(tried.endpoint.record().replaced).toEqual([]);
  tried.up.answers = [
    ["/simple/spam/", sendsPage(pageOf([rowOf(FILE, other)]))],
    ["/packages/", sendsFile(other)],
  ];
  tried.later();
  const page = await tried.page({ accept: PAGE_TYPE });
  expect(JSON.parse(page.body.toString())).toMatchObject({
    files: [{ filename: FILE, hashes: { sha256: sha(other) } }],
  });
  expect(tried.endpoint.record().replaced).toEqual([
    { project: "spam", filename: FILE, was: sha(content), is: sha(other) },
  ]);
  expect(tried.told).toEqual([expect.stringContaining(`${FILE} has other bytes than before`)]);
  // What a lock names is never answered with the new ones.
  expect((await tried.file(FILE, sha(content))).status).toBe(404);
  expect((await tried.farm.keptFile(sha(content)))?.sizeBytes).toBe(content.length);
  expect((await tried.file(FILE, sha(other))).body.equals(other)).toBe(true);
  // Whoever asks later hears of it too, and by another process.
  await using anew = await openAgain(tried);
  const socketPath = join(tried.directory, "anew.sock");
  const later = await anew.openEndpoint({ socketPath, attemptId: "a2" });
  await askSocket(socketPath, `${later.indexPath}spam/`);
  expect(later.record().replaced).toHaveLength(1);
  expect(await verifyIndex({ directory: tried.directory, signal })).toMatchObject({ faults: [] });
});

test("what a machine without power left of a kept file is not served: it is fetched anew", async () => {
  const tried = await trying(HONEST);
  await tried.file();
  const kept = await tried.farm.keptFile(sha(content));
  await truncate(kept?.path ?? "");
  expect(await tried.farm.keptFile(sha(content))).toBeNull();
  expect((await tried.file()).body.equals(content)).toBe(true);
  await expectUnpoisoned(tried);
});

test("new bytes under an old hash are a fault: nothing but the page may say that they are new", async () => {
  const tried = await trying(HONEST);
  await tried.page();
  tried.up.answers = [["/packages/", sendsFile(other)]];
  expect((await tried.file()).whole).toBe(false);
  expect(tried.endpoint.record().faults).toMatchObject([{ code: "upstream-hash" }]);
  await expectUnpoisoned(tried);
});

const unhashed = { ...row, hashes: {} };
const unhashedKey = (up: BadUpstream): string =>
  `u-${createHash("sha256")
    .update(new URL(`/packages/${FILE}`, up.url).href)
    .digest("hex")}`;

test.each([
  ["a page that says sorry", sends("<html>Sorry</html>"), undefined],
  ["a page as long as the file", sends(Buffer.alloc(content.length, "<html> ")), undefined],
  ["nothing at all", sends(""), null],
] as const)(
  "where an index says no hash, %s is not taken for the file for good",
  async (_is, answer, size) => {
    const tried = await trying([
      ["/simple/spam/", sendsPage(pageOf([size === null ? { ...unhashed, size } : unhashed]))],
      ["/packages/", answer],
    ]);
    const got = await tried.file(FILE, unhashedKey(tried.up));
    expect(got.status === 200 && got.whole).toBe(false);
    expect(tried.endpoint.record().faults).toHaveLength(1);
    tried.up.answers = [["/packages/", sendsFile(content)]];
    const good = await tried.file(FILE, unhashedKey(tried.up));
    expect(good.body.equals(content)).toBe(true);
    await expectUnpoisoned(tried);
  },
);
