import { execFileSync } from "node:child_process";

import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";

import { sampleAttempt } from "../../model/result-json.sample.ts";
import { DOWNLOADS, type Download } from "../../pages/shell/place.ts";
import { keep, keepReport, LOCK } from "./attempt.sample.ts";
import { sampleSite, type SampleSite } from "./site.sample.ts";

let site: SampleSite;
let id: string;
beforeEach(async () => {
  site = await sampleSite();
  id = await site.farm.record({
    evidence: { ...sampleAttempt().evidence, lock: "kept", buildLock: "kept" },
  });
  await keepReport(site, id, [
    { id: "t.py::a", outcome: "failed", seconds: 0.5, message: "E   <b>& no" },
    { id: "t.py::b", outcome: "passed", seconds: 0.25 },
  ]);
  await keep(site, id, "log.txt", "a log\n\u001b[31mred <script>\n");
  await keep(site, id, "pylock.toml", LOCK);
  await keep(site, id, "pylock.build.toml", LOCK);
});
afterEach(() => site[Symbol.asyncDispose]());

test("each file has a type that no browser obeys, an ETag, and an hour", async () => {
  const types: Readonly<Record<Download, string>> = {
    "result.json": "application/json; charset=utf-8",
    "junit.xml": "application/xml; charset=utf-8",
    "result.sarif": "application/sarif+json; charset=utf-8",
    "log.txt": "text/plain; charset=utf-8",
    "pylock.toml": "application/toml; charset=utf-8",
    "pylock.build.toml": "application/toml; charset=utf-8",
  };
  for (const name of DOWNLOADS) {
    const answer = await site.get(`/a/${id}/${name}`);
    const header = (key: string) => answer.headers.get(key);
    expect([name, answer.status, header("content-type")]).toEqual([name, 200, types[name]]);
    expect(header("x-content-type-options")).toBe("nosniff");
    expect(header("content-security-policy")).toBe("default-src 'none'; sandbox");
    expect(header("cache-control")).toBe("max-age=3600");
    const etag = header("etag") ?? "";
    expect(etag).toMatch(/^"[\w-]+"$/u);
    const again = await site.get(`/a/${id}/${name}`, { headers: { "if-none-match": etag } });
    expect([again.status, await again.text(), again.headers.get("etag")]).toEqual([304, "", etag]);
    expect(again.headers.get("vary")).toBe("authorization, cookie");
  }
});

test("what was sent to somebody who is known is no other's", async () => {
  const as = await site.farm.token(["operate"]);
  for (const name of DOWNLOADS)
    expect((await site.get(`/a/${id}/${name}`, { as })).headers.get("cache-control")).toBe(
      "private, max-age=3600",
    );
});

test("result.json is what the API answers", async () => {
  expect(JSON.parse(await site.text(`/a/${id}/result.json`))).toEqual(
    await (await site.farm.ask(`/attempts/${id}`)).json(),
  );
});

test("junit.xml has a case for each test of the report, as an XML reader takes it", async () => {
  const xml = await site.text(`/a/${id}/junit.xml`);
  const read = execFileSync(
    "python3",
    [
      "-c",
      "import sys, xml.etree.ElementTree as t, json; r = t.fromstring(sys.stdin.buffer.read()); print(json.dumps([[c.get('name'), [e.text for e in c]] for c in r.iter('testcase')]))",
    ],
    { input: xml, encoding: "utf8" },
  );
  expect(JSON.parse(read)).toEqual([
    ["a", ["E   <b>& no"]],
    ["b", []],
  ]);
});

test("result.sarif names the tests that did not pass, of the store where the report is kept no more", async () => {
  const Named = z.object({
    runs: z.array(
      z.object({
        results: z.array(
          z.object({
            locations: z.array(
              z.object({ logicalLocations: z.array(z.object({ fullyQualifiedName: z.string() })) }),
            ),
          }),
        ),
      }),
    ),
  });
  const named = async (of: string) =>
    Named.parse(JSON.parse(await site.text(`/a/${of}/result.sarif`))).runs.flatMap(({ results }) =>
      results.flatMap(({ locations }) =>
        locations.flatMap(({ logicalLocations }) =>
          logicalLocations.map((one) => one.fullyQualifiedName),
        ),
      ),
    );
  expect(await named(id)).toEqual(["t.py::a"]);
  const old = await site.farm.record(
    {},
    { results: [{ id: "t.py::c", outcome: "error", seconds: 0 }] },
  );
  expect(await named(old)).toEqual(["t.py::c"]);
});

test("of the log a part can be had", async () => {
  const answer = await site.get(`/a/${id}/log.txt`, { headers: { range: "bytes=2-4" } });
  expect([answer.status, await answer.text()]).toEqual([206, "log"]);
});

test("a file that is kept no more is told as such, and linked from no page", async () => {
  const old = await site.farm.record({});
  for (const name of ["log.txt", "pylock.toml", "pylock.build.toml"]) {
    const answer = await site.get(`/a/${old}/${name}`);
    expect(answer.status).toBe(404);
    expect(await answer.text()).toContain("not kept of this attempt");
    expect(await site.text(`/a/${old}`)).not.toContain(`/a/${old}/${name}`);
  }
});
