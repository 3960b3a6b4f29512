import { createHash } from "node:crypto";
import { expect, test } from "vitest";

import type { RecordedFile } from "./attempt-record.ts";
import { RecordBuilder } from "./record-builder.ts";
import { RecordedPages } from "./recorded-pages.ts";

const INDEX = "https://index.example/simple/";
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function file(project: string, version: string): RecordedFile {
  const filename = `${project}-${version}-py3-none-any.whl`;
  return {
    project,
    filename,
    sha256: sha256(filename),
    sizeBytes: 0,
    uploadTime: null,
    requiresPython: ">=3.9",
    url: `https://files.example/${filename}`,
    upstream: INDEX,
  };
}

const fetched = file("spam", "1.0");
const looked = file("spam", "2.0");

function recordOf() {
  const builder = new RecordBuilder({
    attemptId: "a1",
    openedAt: "2026-11-24T10:00:00.000Z",
    upstreams: [INDEX],
    before: null,
    replayed: false,
  });
  for (const project of ["spam", "eggs"])
    builder.page({
      project,
      sha256: "",
      upstream: INDEX,
      stale: false,
      lastSerial: null,
      undated: 0,
    });
  builder.file(fetched);
  for (const one of [fetched, looked])
    builder.look({ ...one, metadataSha256: sha256(`metadata of ${one.filename}`) });
  return builder.build();
}

/** @param kept text of a wheel's metadata; null where none is kept. */
async function namesOn(name: string, kept: (filename: string) => string | null) {
  const pages = new RecordedPages(recordOf(), {
    kept: async (_page, { filename }) => {
      const text = kept(filename);
      return text === null ? null : Buffer.from(text);
    },
  });
  return (await pages.page(name))?.files.map(({ filename }) => filename) ?? null;
}

test("a record tells apart what was fetched and what was only looked at", () => {
  const { files, looked: only } = recordOf();
  expect(files.map(({ filename }) => filename)).toEqual([fetched.filename]);
  expect(only.map(({ filename }) => filename)).toEqual([looked.filename]);
});

test("a replay's page has both, so that whoever resolves comes to the same", async () => {
  const both = [fetched.filename, looked.filename];
  expect(await namesOn("spam", (filename) => `metadata of ${filename}`)).toEqual(both);
});

test.each([
  ["is kept no more", () => null],
  ["is another by now", () => "other metadata"],
])("what was only looked at and whose metadata %s is on no page", async (_what, kept) => {
  expect(await namesOn("spam", kept)).toEqual([fetched.filename]);
});

test("a page of which nothing was taken is there and empty; what was not asked for is not there", async () => {
  expect(await namesOn("eggs", () => null)).toEqual([]);
  expect(await namesOn("ham", () => null)).toBeNull();
});
