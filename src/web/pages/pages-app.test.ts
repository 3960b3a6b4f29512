import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { assets } from "../../pages/shell/assets.ts";
import type { Database } from "../../store/database.ts";
import { sampleSite, type SampleSite } from "./site.sample.ts";

let site: SampleSite;
beforeEach(async () => {
  site = await sampleSite();
});
afterEach(() => site[Symbol.asyncDispose]());

describe("every page", () => {
  test("lets no script or style run but the farm's own files, and no other site frame it", async () => {
    const answer = await site.get("/search");
    const policy = answer.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("unsafe");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(await answer.text()).not.toMatch(
      /<script(?! type="module" src="\/assets\/)|<style| style=| on[a-z]+="/u,
    );
  });

  test("is sent once, and then said not to have changed", async () => {
    const first = await site.get("/search");
    const etag = first.headers.get("etag") ?? "";
    const again = await site.get("/search", { headers: { "if-none-match": etag } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
  });

  test("is nobody else's where it was made for somebody who is known", async () => {
    const as = await site.farm.token(["operate"]);
    const caching = async (given?: string) =>
      (await site.get("/search", given === undefined ? {} : { as: given })).headers.get(
        "cache-control",
      );
    expect([await caching(), await caching(as)]).toEqual(["no-cache", "private, no-cache"]);
  });
});

test("what pages load is kept for ever under the hash of its content", async () => {
  for (const { path, content } of assets().values()) {
    const answer = await site.get(`/${path}`);
    expect(answer.headers.get("cache-control")).toContain("immutable");
    expect(Buffer.from(await answer.arrayBuffer()).equals(content)).toBe(true);
  }
});

test("an address that leads nowhere is told by a page that helps; the API's by a problem", async () => {
  const answer = await site.get("/nowhere");
  expect(answer.status).toBe(404);
  expect(await answer.text()).toContain("There is nothing here");
  expect((await site.get("/api/v1/nowhere")).headers.get("content-type")).not.toContain("html");
});

test("an address with a slash at its end, as a report has them, leads to the page; to no other host", async () => {
  const led = async (path: string) => {
    const { status, headers } = await site.get(path);
    return [status, headers.get("location")];
  };
  expect(await led("/p/lmdb/?before=1.0")).toEqual([301, "/p/lmdb?before=1.0"]);
  expect(await led("/p/lmdb/1.0/")).toEqual([301, "/p/lmdb/1.0"]);
  expect(await led("/")).toEqual([200, null]);
  for (const path of ["//evil.example/", "/\\evil.example/", "///evil.example/a/"])
    expect(await led(path)).toEqual([404, null]);
});

test("of what the farm fails in, a stranger hears no details, and its log hears all", async () => {
  const failures: unknown[] = [];
  const told = new Error(`can't be read: ${site.farm.directory}`);
  const database: Database = {
    kind: "sqlite",
    label: "broken",
    read: () => Promise.reject(told),
    write: () => Promise.reject(told),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  await using broken = await sampleSite({
    pages: { database, failed: (thrown) => void failures.push(thrown) },
  });
  const answer = await broken.get("/search?q=six");
  expect(answer.status).toBeGreaterThanOrEqual(500);
  const text = await answer.text();
  expect(text).toContain("something in the farm failed");
  expect(text).not.toContain(site.farm.directory);
  expect(failures).toEqual([told]);
});

describe("the search", () => {
  test("finds projects by how their names begin, in any spelling", async () => {
    for (const project of ["zope-interface", "zope-event", "six"])
      await site.farm.record({ project });
    const text = await site.text("/search?q=Zope.");
    expect(text).toContain(">zope-interface</a>");
    expect(text).toContain(">zope-event</a>");
    expect(text).not.toContain(">six</a>");
  });

  test("leads at once to a project that is named whole and to an attempt by its id", async () => {
    const id = await site.farm.record({ project: "six" });
    const to = async (query: string) =>
      (await site.get(`/search?q=${query}`)).headers.get("location");
    expect([await to("Six"), await to(id)]).toEqual(["/p/six", `/a/${id}`]);
  });

  test("shows a private project to nobody who may not see it", async () => {
    const id = await site.farm.record({ project: "secret" }, { visibility: "private" });
    const as = await site.farm.token(["read-private"]);
    for (const query of ["secret", "sec", id]) {
      const answer = await site.get(`/search?q=${query}`);
      expect([answer.status, (await answer.text()).includes(">secret</a>")]).toEqual([200, false]);
    }
    expect((await site.get("/search?q=secret", { as })).status).toBe(303);
  });

  test("shows what was typed as text", async () => {
    const query = `"><script>alert(1)</script>`;
    const text = await site.text(`/search?q=${encodeURIComponent(query)}`);
    expect(text).not.toContain("<script>alert");
    expect(text).toContain("&lt;script&gt;alert(1)");
  });
});
