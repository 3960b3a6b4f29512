import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { recordDrawn } from "../../pages/project/project.sample.ts";
import { sampleSite, type SampleSite } from "./site.sample.ts";

let site: SampleSite;
beforeEach(async () => {
  site = await sampleSite();
});
afterEach(() => site[Symbol.asyncDispose]());

const draw = (...releases: readonly (readonly [string, string])[]) =>
  recordDrawn(site.farm.database, {
    project: "lmdb",
    configurations: ["cpython-3.13", "cpython-3.14", "pypy-3.11"],
    startMs: site.farm.nowMs - 86_400_000,
    releases,
  });

async function shields(query = ""): Promise<unknown> {
  return JSON.parse(await site.text(`/badge/lmdb.json${query}`));
}

describe("the badge", () => {
  test("says on how many of those that say anything the newest final release passes", async () => {
    await draw(["1.0", "fff"], ["1.1", "pf?"], ["1.2rc1", "fff"]);
    expect(await shields()).toEqual({
      schemaVersion: 1,
      label: "creamery",
      message: "passes on 1 of 2",
      color: "9c2c00",
    });
  });

  test("is of another colour where all pass, where none does, and where nothing is known", async () => {
    const colours = [];
    for (const [version, letters] of [
      ["1.0", "ppp"],
      ["1.1", "fff"],
      ["1.2", "???"],
      ["1.3", "sss"],
    ] as const) {
      await draw([version, letters]);
      colours.push(await shields());
    }
    expect(colours).toMatchObject([
      { message: "passes on 3 of 3", color: "00694f" },
      { message: "passes on 0 of 3", color: "86193f" },
      { message: "no verdict yet", color: "515c62" },
      { message: "skipped", color: "515c62" },
    ]);
  });

  test("is of one configuration where it is asked for", async () => {
    await draw(["1.0", "pf."]);
    expect([
      await shields("?configuration=cpython-3.13"),
      await shields("?configuration=cpython-3.14"),
      await shields("?configuration=pypy-3.11"),
    ]).toMatchObject([
      { label: "creamery CPython 3.13", message: "pass", color: "00694f" },
      { label: "creamery CPython 3.14", message: "fail", color: "86193f" },
      { label: "creamery PyPy 3.11", message: "not tested" },
    ]);
  });

  test("is a picture that others keep for five minutes, and then ask whether it changed", async () => {
    await draw(["1.0", "ppp"]);
    const answer = await site.get("/badge/LMDB.svg");
    expect(answer.headers.get("content-type")).toBe("image/svg+xml; charset=utf-8");
    expect(answer.headers.get("cache-control")).toBe("public, max-age=300");
    expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(await answer.text()).toContain("<title>creamery: passes on 3 of 3</title>");
    const etag = answer.headers.get("etag") ?? "";
    const again = await site.get("/badge/lmdb.svg", { headers: { "if-none-match": etag } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
  });

  test("of what the farm does not know is a picture that says so", async () => {
    for (const path of ["/badge/nothere.svg", "/badge/no%20name.svg"]) {
      const answer = await site.get(path);
      expect([answer.status, answer.headers.get("content-type")]).toEqual([
        404,
        "image/svg+xml; charset=utf-8",
      ]);
      expect(await answer.text()).toContain("<title>creamery: unknown</title>");
    }
    expect((await site.get("/badge/nothere.png")).headers.get("content-type")).toContain("html");
  });

  test("shows what it was asked for as text", async () => {
    await draw(["1.0", "ppp"]);
    const asked = encodeURIComponent(`"><script>alert(1)</script>`);
    const text = await site.text(`/badge/lmdb.svg?configuration=${asked}`);
    expect(text).not.toContain("<script");
    expect(text).toContain("&lt;script&gt;");
  });
});

test("the newest releases are a picture too, each cell with its words", async () => {
  await draw(...Array.from({ length: 17 }, (_, minor) => [`1.${minor}`, "ppf"] as const));
  const answer = await site.get("/p/lmdb/matrix.svg");
  expect(answer.headers.get("cache-control")).toBe("public, max-age=300");
  const text = await answer.text();
  expect(text).toContain("<title>fail, PyPy 3.11, 1.16</title>");
  expect(text).toContain("<title>pass, CPython 3.13, 1.2</title>");
  expect(text).not.toContain("1.1</title>");
  expect(text).not.toMatch(/ style=|<style|<script/u);
});
