import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { ChangeRecorder } from "../../store/sql/change-recorder.sample.ts";
import { SAMPLE_START_MS } from "../api/farm.sample.ts";
import { sampleSite, type SampleSite } from "./site.sample.ts";

const DAY_MS = 86_400_000;
const PRIVATE = { visibility: "private" } as const;

let site: SampleSite;
let recorder: ChangeRecorder;
beforeEach(async () => {
  site = await sampleSite();
  recorder = new ChangeRecorder(site.farm.database, SAMPLE_START_MS - 2 * 3_600_000);
});
afterEach(() => site[Symbol.asyncDispose]());

const lead = async (path = "/changes", as?: string): Promise<string> =>
  /data-live="lead">(.*)<\/p>/u.exec(await site.text(path, as))?.[1] ?? "";

describe("the page of changes", () => {
  test("says in one sentence what broke, what was fixed, and what most of it has in common", async () => {
    expect(await lead("/changes?days=30")).toBe(
      "In the last 30 days nothing broke and nothing was fixed.",
    );
    for (const project of ["a", "b"])
      await recorder.breaks({ project, why: "setuptools 82 is new" });
    await recorder.breaks({ project: "c" });
    await recorder.pass({ project: "c" });
    expect(await lead()).toBe(
      "In the last 7 days 3 projects broke and 1 was fixed; 2 of the 3 since setuptools 82.",
    );
    expect(await lead("/changes?days=1&kind=fixed")).toBe("In the last day 1 project was fixed.");
  });

  test("groups what changed by what is to blame, each with links to both attempts", async () => {
    const before = await recorder.pass({ project: "lmdb", version: "1.6" });
    const now = await recorder.record({
      project: "lmdb",
      version: "1.7",
      cause: "dependency-build(cffi)",
    });
    const text = await site.text("/changes");
    expect(text).toContain("<h3>Because of cffi</h3>");
    expect(text).toContain(`href="/a/${before}"`);
    expect(text).toContain(`href="/a/${now}"`);
    expect(text).toContain(`href="/p/lmdb/1.7"`);
    expect(text).toContain("the dependency cffi does not build");
  });

  test("of a root with many changes the newest are folded, and all of them lie behind a link", async () => {
    for (let index = 10; index < 25; index++)
      await recorder.breaks({ project: `p${index}`, why: "numpy 2.4 is new" });
    const text = await site.text("/changes");
    expect(text).toContain("<summary>15 changes</summary>");
    expect(text).toContain('href="/changes?root=numpy+2.4"');
    expect(text).not.toContain(">p14</a>");
    const one = await site.text("/changes?root=numpy+2.4");
    expect(one).toContain(">p10</a>");
    expect(one).not.toContain("<details>");
  });

  test("is narrowed by time, kind and configuration, and takes what is none of them for nothing", async () => {
    recorder.atMs = SAMPLE_START_MS - 3 * DAY_MS;
    await recorder.breaks({ project: "older" });
    recorder.atMs = SAMPLE_START_MS - 3600_000;
    await recorder.breaks({ project: "newer", configuration: "pypy-3.11" });
    await recorder.record({ project: "newer", configuration: "pypy-3.11", cause: "syntax" });
    const shown = async (query: string) => {
      const text = await site.text(`/changes${query}`);
      return ["older", "newer"].filter((name) => text.includes(`<h3>${name}</h3>`));
    };
    expect(await shown("")).toEqual(["older", "newer"]);
    expect(await shown("?days=1")).toEqual(["newer"]);
    expect(await shown("?configuration=cpython-3.13")).toEqual(["older"]);
    expect(await shown("?kind=fixed")).toEqual([]);
    expect(await shown("?kind=changed")).toEqual(["newer"]);
    expect(await shown("?days=0&kind=passed&configuration=&root=&x=%00")).toEqual([
      "older",
      "newer",
    ]);
    expect(await lead("/changes?kind=changed")).toBe(
      "In the last 7 days 1 project fails otherwise than before.",
    );
  });

  test("shows nothing of a private project to who may not see it: no row, no root, no count", async () => {
    await recorder.breaks({ project: "secret", why: "inner 2 is new" }, PRIVATE);
    await recorder.breaks({ project: "open", why: "inner 2 is new" });
    await recorder.breaks({ project: "covert" }, PRIVATE);
    const text = await site.text("/changes");
    expect(text).not.toMatch(/secret|covert/u);
    expect(await lead()).toBe("In the last 7 days 1 project broke and none were fixed.");
    const as = await site.farm.token(["read-private"]);
    expect(await lead("/changes", as)).toContain("3 projects broke");
  });

  test("shows what packages wrote as text", async () => {
    const hostile = `"><script>alert(1)</script>`;
    await recorder.breaks({ version: `1${hostile}`, cause: `dependency-build(${hostile})` });
    const text = await site.text(`/changes?root=${encodeURIComponent(hostile)}`);
    expect(text).not.toContain("<script>alert");
    expect(text).toContain("&lt;script&gt;");
  });
});
