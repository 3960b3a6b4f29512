import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { comparisonId, comparisonKey } from "../../judge/comparison-id.ts";
import { ComparisonJson } from "../../judge/comparison-json.ts";
import { sampleCompared, sampleComparison } from "../../judge/comparison-json.sample.ts";
import { sampleSite, type SampleSite } from "./site.sample.ts";

const { signal } = new AbortController();

let site: SampleSite;
beforeEach(async () => {
  site = await sampleSite();
  await site.farm.record({ project: "six" });
  await site.farm.record({ project: "lmdb" });
  await site.farm.record({ project: "secret" }, { visibility: "private" });
});
afterEach(() => site[Symbol.asyncDispose]());

async function kept(change: Partial<ComparisonJson> = {}): Promise<string> {
  const comparison = sampleComparison(change);
  site.farm.nowMs += 1000;
  const id = comparisonId(comparison, site.farm.nowMs);
  const content = Buffer.from(JSON.stringify({ ...comparison, id }));
  await site.farm.bucket.create(comparisonKey(id), content, { signal, compression: "gzip" });
  return id;
}

/** Projects in the table of what was compared, in its order. */
function projects(text: string): readonly string[] {
  const [table = ""] = /<table class="compared">[^]*<\/table>/u.exec(text) ?? [];
  return [...table.matchAll(/<th scope="row"><a href="\/p\/([^"]+)">/gu)].map(([, it]) => it ?? "");
}

test("shows A and B, the one thing that changes, what broke first and why, with its attempts", async () => {
  const id = await kept({
    compared: [
      sampleCompared({ project: "lmdb", verdict: "unchanged" }),
      sampleCompared({ why: ["ModuleNotFoundError: No module named <b>\u202e"] }),
    ],
  });
  const text = await site.text(`/compare/${id}`);
  expect(projects(text)).toEqual(["six", "lmdb"]);
  for (const words of [
    "<h1>setuptools==82.0.0 → setuptools==83.0.0</h1>",
    "1 newly broken, of 2 results.",
    "a release, of setuptools; all else is the same",
    "No module named &lt;b&gt;\\u202e",
    'href="/a/a1"',
    'href="/a/b1"',
    "1 test passed with A and now fails",
    "tests/test_a.py::test_b",
    `/compare/${id}/comparison.json`,
  ])
    expect(text).toContain(words);
});

test("is narrowed by verdict, configuration and project, and goes page by page", async () => {
  const id = await kept({
    compared: [
      sampleCompared({ project: "lmdb", verdict: "fixed" }),
      ...Array.from({ length: 150 }, () => sampleCompared()),
    ],
  });
  const of = async (query: string) => projects(await site.text(`/compare/${id}?${query}`));
  expect(await of("verdict=fixed")).toEqual(["lmdb"]);
  expect(await of("project=LMD&verdict=")).toEqual(["lmdb"]);
  expect(await of("configuration=pypy-3.11")).toEqual([]);
  expect([(await of("")).length, (await of("page=2")).length]).toEqual([100, 51]);
  for (const query of ["verdict=x", "page=0", "page=x"])
    expect((await site.get(`/compare/${id}?${query}`)).status, query).toBe(400);
});

test("the newest are listed, and older ones page by page", async () => {
  const ids: string[] = [];
  for (let at = 0; at < 22; at++) ids.unshift(await kept({ a: `x==${at}` }));
  const listed = (text: string) =>
    [...text.matchAll(/href="\/compare\/([0-9a-z]+)"/gu)].map(([, id]) => id);
  const first = await site.text("/compare");
  expect(listed(first)).toEqual(ids.slice(0, 20));
  expect(first).toContain(`/compare?before=${ids[19]}`);
  expect(listed(await site.text(`/compare?before=${ids[19]}`))).toEqual(ids.slice(20));
});

test("one that is not there, or can't be read, is told as such", async () => {
  const broken = comparisonId(sampleComparison(), 1);
  await site.farm.bucket.create(comparisonKey(broken), Buffer.from("{"), {
    signal,
    compression: "none",
  });
  for (const id of ["nothing", "..%2f..%2fx", "0".repeat(16), broken])
    for (const path of [`/compare/${id}`, `/compare/${id}/comparison.json`])
      expect((await site.get(path)).status, path).toBe(404);
  expect(await site.text("/compare")).toContain("There is none to be seen yet");
});

describe("a private project", () => {
  const rows = [
    sampleCompared(),
    sampleCompared({ project: "secret" }),
    sampleCompared({ project: "never-tested", verdict: "incomparable" }),
  ];

  test("is in no row and no count for who may not see it, nor in what is downloaded", async () => {
    const id = await kept({ compared: rows, left: 4 });
    const text = await site.text(`/compare/${id}`);
    expect(projects(text)).toEqual(["six"]);
    expect(text).toContain("1 newly broken, of 1 result.");
    expect(text).not.toMatch(/secret|never-tested|did not come/u);
    const json = ComparisonJson.parse(
      await (await site.get(`/compare/${id}/comparison.json`)).json(),
    );
    expect([
      json.compared.length,
      json.counts["newly-broken"],
      json.counts.incomparable,
      json.left,
    ]).toEqual([1, 1, 0, 0]);
    const list = await site.text("/compare");
    expect([...list.matchAll(/<td class="number">(\d+)<\/td>/gu)].map(([, it]) => it)).toEqual([
      "1",
      "0",
      "0",
      "0",
      "0",
    ]);
    const as = await site.farm.token(["read-private"]);
    expect(projects(await site.text(`/compare/${id}`, as))).toHaveLength(3);
    const bound = await site.farm.token(["read-private"], { projects: ["secret"] });
    expect(projects(await site.text(`/compare/${id}`, bound))).toEqual(["six", "secret"]);
  });

  test("alone in a comparison, or what changes in it, makes it one that is not there", async () => {
    const ids = [
      await kept({ compared: [sampleCompared({ project: "secret" })] }),
      await kept({ changed: "secret" }),
      await kept({ a: "./dist/mine-1.0-py3-none-any.whl", b: "mine==0.9", changed: "mine" }),
    ];
    const as = await site.farm.token(["read-private"]);
    for (const id of ids) {
      expect((await site.get(`/compare/${id}`)).status).toBe(404);
      expect((await site.get(`/compare/${id}`, { as })).status).toBe(200);
    }
    expect(await site.text("/compare")).toContain("There is none to be seen yet");
  });

  test("makes no page of the list shorter, nor lead to another", async () => {
    const seen = [await kept({ a: "x==1" }), await kept({ a: "x==2" })];
    for (let at = 0; at < 22; at++)
      await kept({ a: `secret==${at}`, compared: [sampleCompared({ project: "secret" })] });
    const text = await site.text("/compare");
    expect([...text.matchAll(/href="\/compare\/([0-9a-z]+)"/gu)].map(([, id]) => id)).toEqual(
      seen.toReversed(),
    );
    expect(text).not.toContain("before=");
    const as = await site.farm.token(["read-private"]);
    expect(await site.text("/compare", as)).toContain("before=");
  });

  test("a file is named to strangers without where it lies", async () => {
    const id = await kept({ b: "/home/somebody/dist/six-2.0-py3-none-any.whl", changed: "six" });
    for (const path of [`/compare/${id}`, `/compare/${id}/comparison.json`, "/compare"]) {
      const text = await site.text(path);
      expect(text).toContain("six-2.0-py3-none-any.whl");
      expect(text).not.toContain("somebody");
    }
  });
});
