import { XMLParser, XMLValidator } from "fast-xml-parser";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";

import { ChangeRecorder } from "../../store/sql/change-recorder.sample.ts";
import { SAMPLE_START_MS } from "../api/farm.sample.ts";
import { sampleSite, type SampleSite } from "./site.sample.ts";

let site: SampleSite;
let recorder: ChangeRecorder;
beforeEach(async () => {
  site = await sampleSite();
  recorder = new ChangeRecorder(site.farm.database, SAMPLE_START_MS);
});
afterEach(() => site[Symbol.asyncDispose]());

const id = z
  .string()
  .regex(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/u);
const at = z.iso.datetime();
const href = z.url({ protocol: /^https$/u });
/** What RFC 4287 asks of a feed and its entries, in the form that this farm gives it. */
const Feed = z.strictObject({
  "?xml": z.strictObject({ version: z.literal("1.0"), encoding: z.literal("utf-8") }),
  feed: z.strictObject({
    xmlns: z.literal("http://www.w3.org/2005/Atom"),
    id,
    title: z.string().min(1),
    updated: at,
    author: z.tuple([z.strictObject({ name: z.string().min(1) })]),
    generator: z.string(),
    link: z
      .array(z.strictObject({ rel: z.string(), type: z.string(), href }))
      .refine((links) => links.filter(({ rel }) => rel === "self").length === 1),
    entry: z
      .array(
        z.strictObject({
          id,
          title: z.string().min(1),
          updated: at,
          published: at,
          link: z.array(
            z.strictObject({
              rel: z.enum(["alternate", "related"]),
              type: z.literal("text/html"),
              title: z.string().optional(),
              href,
            }),
          ),
          category: z.tuple([z.strictObject({ term: z.enum(["broke", "fixed"]) })]),
          content: z.strictObject({ type: z.literal("text"), "#text": z.string().min(1) }),
        }),
      )
      .default([]),
  }),
});

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "",
  parseTagValue: false,
  isArray: (name) => ["entry", "link", "author", "category"].includes(name),
});

async function feed(path: string, as?: string) {
  const text = await site.text(path, as);
  expect(XMLValidator.validate(text)).toBe(true);
  // Of XML 1.0's characters alone.
  expect(text).toMatch(/^[\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u);
  return Feed.parse(parser.parse(text)).feed;
}

describe("a project's feed", () => {
  test("has its changes of verdict alone, newest first, each with both attempts", async () => {
    const before = await recorder.pass({ project: "lmdb", version: "1.6" });
    const now = await recorder.record({ project: "lmdb", version: "1.7" });
    await recorder.record({ project: "lmdb", version: "1.7" });
    await recorder.record({ project: "lmdb", version: "1.7", cause: "syntax" });
    await recorder.pass({ project: "lmdb", version: "1.8" });
    await recorder.breaks({ project: "other" });
    const { title, entry, updated } = await feed("/p/lmdb/feed.xml");
    expect(title).toBe("lmdb: changes of verdict");
    expect(entry.map((one) => one.title)).toEqual([
      "lmdb 1.8 passes again on CPython 3.13",
      "lmdb 1.7 broke on CPython 3.13",
    ]);
    expect(updated).toBe(entry[0]?.updated);
    expect(entry[1]?.link).toEqual([
      { rel: "alternate", type: "text/html", href: `https://farm.example/a/${now}` },
      {
        rel: "related",
        type: "text/html",
        title: "Before, on CPython 3.13",
        href: `https://farm.example/a/${before}`,
      },
    ]);
    expect(entry[1]?.content["#text"]).toContain("Now: 1.7, fail: tests fail.");
  });

  test("names an entry for good, whoever asks and whatever comes after it", async () => {
    await recorder.breaks({ project: "lmdb" });
    const [first] = (await feed("/p/lmdb/feed.xml")).entry;
    await recorder.pass({ project: "lmdb" });
    const { entry } = await feed("/p/lmdb/feed.xml");
    expect(entry[1]).toEqual(first);
    expect(new Set(entry.map((one) => one.id)).size).toBe(2);
    const all = await feed("/changes/feed.xml");
    expect(all.entry).toEqual(entry);
    expect(all.id).not.toBe((await feed("/p/lmdb/feed.xml")).id);
  });

  test("is empty, and whole, where nothing has changed", async () => {
    await site.farm.record({ project: "six" });
    expect((await feed("/p/six/feed.xml")).entry).toEqual([]);
  });

  test("is sent once, and then said not to have changed until something has", async () => {
    await recorder.breaks({ project: "six" });
    const etag = (await site.get("/p/six/feed.xml")).headers.get("etag") ?? "";
    const again = () => site.get("/p/six/feed.xml", { headers: { "if-none-match": etag } });
    const unchanged = await again();
    expect([unchanged.status, await unchanged.text()]).toEqual([304, ""]);
    await recorder.pass({ project: "six" });
    const changed = await again();
    expect([changed.status, changed.headers.get("content-type")]).toEqual([
      200,
      "application/atom+xml; charset=utf-8",
    ]);
  });

  test("of a private project is theirs who may see it; to others it is as one that is not there", async () => {
    await recorder.breaks({ project: "secret" }, { visibility: "private" });
    const answers = await Promise.all(
      ["secret", "nothing"].map((name) => site.get(`/p/${name}/feed.xml`)),
    );
    const [hidden, missing] = await Promise.all(
      answers.map(async (answer) => [answer.status, await answer.text()] as const),
    );
    expect(hidden?.[0]).toBe(404);
    expect(hidden?.[1].replaceAll("secret", "nothing")).toBe(missing?.[1]);
    const as = await site.farm.token(["read-private"]);
    expect((await feed("/p/secret/feed.xml", as)).entry).toHaveLength(1);
    const answer = await site.get("/p/secret/feed.xml", { as });
    expect(answer.headers.get("cache-control")).toContain("private");
  });

  test("is found in any spelling of the project's name", async () => {
    await recorder.breaks({ project: "zope-event" });
    const answer = await site.get("/p/Zope.Event/feed.xml");
    expect([answer.status, answer.headers.get("location")]).toEqual([
      301,
      "/p/zope-event/feed.xml",
    ]);
  });
});

test("the feed of all has what is public, also for who may see more: its address is handed on", async () => {
  await recorder.breaks({ project: "secret" }, { visibility: "private" });
  await recorder.breaks({ project: "open" });
  const as = await site.farm.token(["read-private"]);
  for (const { entry } of [await feed("/changes/feed.xml"), await feed("/changes/feed.xml", as)])
    expect(entry.map(({ title }) => title)).toEqual(["open 1.0 broke on CPython 3.13"]);
});

test("what hostile packages wrote is text, and what XML has no place for is made visible", async () => {
  const hostile = `]]><script>&amp;"'\u0000\u0008\u001b\u0085\u202e\ufffe\uffff\ud800!`;
  await recorder.breaks({ version: `1${hostile}`, cause: `dependency-build(${hostile})` });
  const [entry] = (await feed("/changes/feed.xml")).entry;
  expect(entry?.title).toContain("1]]><script>&amp;\"'");
  expect(entry?.title).toContain(String.raw`\x08\x1b\x85\u202e\ufffe\uffff`);
  expect(await site.text("/changes/feed.xml")).not.toContain("<script>");
});
