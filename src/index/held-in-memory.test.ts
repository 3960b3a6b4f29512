import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

import { owned, temporaryDirectory } from "../../test/owned.ts";
import {
  rowOf,
  sends,
  sendsPage,
  startBadUpstream,
  type BadUpstream,
} from "../../test/upstream/bad-upstream.ts";
import { pageOf, sha, trying } from "./bad-upstreams/bad-upstreams.sample.ts";
import { PageStore } from "./page/page-store.ts";
import { UpstreamClient } from "./upstream/upstream-client.ts";
import { sampleUpstreams } from "./upstream/upstreams.sample.ts";

const signal = new AbortController().signal;

function projectOf(name: string, files: number): BadUpstream["answers"][number] {
  const rows = Array.from({ length: files }, (_, at) =>
    rowOf(`${name}-${at}.tar.gz`, Buffer.from(`${name} ${at}`)),
  );
  return [
    `/simple/${name}/`,
    sendsPage(pageOf(rows, { name }), { "cache-control": "max-age=600" }),
  ];
}

test("pages are held as far as their files are few together; the others are read from disk", async () => {
  const up = owned(
    await startBadUpstream([projectOf("large", 6), projectOf("other", 3), projectOf("small", 1)]),
  );
  const directory = temporaryDirectory("held");
  const { indexes, transport } = await sampleUpstreams({ index: up.url });
  const [index] = indexes;
  if (index === undefined) throw new Error("no index");
  const client = new UpstreamClient(index, transport);
  onTestFinished(async () => client.close());
  const store = new PageStore(client, directory, { maxHeldRows: 8 });
  const large = await store.page("large", signal);
  expect(await store.page("large", signal)).toBe(large);
  const other = await store.page("other", signal);
  const small = await store.page("small", signal);
  const again = await store.page("large", signal);
  expect(again).not.toBe(large);
  expect(again?.files.map(({ key }) => key)).toEqual(large?.files.map(({ key }) => key));
  expect(await store.page("large", signal)).toBe(again);
  expect(await store.page("other", signal)).not.toBe(other);
  expect(await store.page("small", signal)).not.toBe(small);
  expect(up.requests).toHaveLength(3);
});

test.each([
  ["little", 1000, 1],
  ["much", 100_000, 2],
])(
  "metadata that is %s is asked for so often where the disk keeps none",
  async (_, chars, times) => {
    const wheel = Buffer.from("wheel");
    const filename = "spam-1.0-py3-none-any.whl";
    const said = Buffer.from(`Metadata-Version: 2.1\nName: spam\n\n${"x".repeat(chars)}`);
    const row = rowOf(filename, wheel, { "core-metadata": { sha256: sha(said) } });
    const tried = await trying([
      ["/simple/spam/", sendsPage(pageOf([row]))],
      [`/packages/${filename}.metadata`, sends(said)],
    ]);
    const kept = join(tried.directory, "metadata");
    for (const _time of [1, 2]) {
      const { body } = await tried.file(`${filename}.metadata`, sha(wheel));
      expect(body.equals(said)).toBe(true);
      for (const name of await readdir(kept)) await rm(join(kept, name));
    }
    const asked = tried.up.requests.filter((line) => line.endsWith(".metadata"));
    expect(asked).toHaveLength(times);
  },
);
