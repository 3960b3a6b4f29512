import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { attemptKey } from "../../worker/bucket-keys.ts";
import { sampleSite, type SampleSite } from "./site.sample.ts";

let site: SampleSite;
beforeEach(async () => {
  site = await sampleSite();
});
afterEach(() => site[Symbol.asyncDispose]());

const { signal } = new AbortController();

async function recorded(log: string, visibility: "public" | "private" = "public"): Promise<string> {
  const id = await site.farm.record({ project: "six" }, { visibility });
  const options = { signal, compression: "gzip" } as const;
  await site.farm.bucket.create(attemptKey(id, "log.txt"), Buffer.from(log), options);
  return id;
}

const LONG = `== test: pytest\n${"a line\n".repeat(2999)}needle\n`;

describe("the log of an attempt", () => {
  test("is read page by page, each line with an anchor, and leads to the others", async () => {
    const id = await recorded(LONG);
    const first = await site.text(`/a/${id}/log/1`);
    expect(first).toContain('id="L2000"');
    expect(first).not.toContain('id="L2001"');
    expect(first).toContain(`<a href="/a/${id}/log/2" rel="next">`);
    expect(first).toContain(`<a href="/a/${id}">`);
    const second = await site.text(`/a/${id}/log/2`);
    expect(second).toContain('id="L3001"');
    expect(second).toContain("(continued)");
  });

  test("is given in pieces", async () => {
    const id = await recorded(LONG);
    const piece = await site.text(`/a/${id}/log/lines?from=2999&count=2`);
    expect(piece.match(/id="L\d+"/gu)).toEqual(['id="L2999"', 'id="L3000"']);
    const most = await site.text(`/a/${id}/log/lines?from=1&count=999999`);
    expect(most.match(/id="L\d+"/gu)).toHaveLength(1000);
    expect(await site.text(`/a/${id}/log/panel`)).toContain('<details class="log-step"');
  });

  test("is looked through, and a line's number leads to where it stands", async () => {
    const id = await recorded(LONG);
    const to = async (query: string) =>
      (await site.get(`/a/${id}/log/find?${query}`)).headers.get("location");
    expect(await to("text=needle&line=")).toBe(`/a/${id}/log/2#L3001`);
    expect(await to("text=&line=123")).toBe(`/a/${id}/log/1#L123`);
    expect(await to("line=99999")).toBeNull();
    expect(await site.text(`/a/${id}/log/find?text=%3Cnothing%3E`)).toContain("does not stand");
    const headers = { accept: "application/json" };
    const found = await site.get(`/a/${id}/log/find?text=needle&after=5`, { headers });
    expect(await found.json()).toEqual({ line: 3001 });
  });

  test("is inert, whatever the package wrote", async () => {
    const id = await recorded(
      '== <b>x: "><script>alert(1)</script>\n"><img src=x onerror=alert(1)>\n',
    );
    for (const path of ["log/1", "log/lines", "log/panel"]) {
      const text = await site.text(`/a/${id}/${path}`);
      expect(text).not.toContain("<script>alert");
      expect(text).not.toContain("<img");
    }
  });

  test("is there for nobody who may not see its project, exactly as one that is not there", async () => {
    const id = await recorded(LONG, "private");
    const as = await site.farm.token(["read-private"]);
    for (const path of ["1", "2", "lines", "panel", "find?text=needle"]) {
      const hidden = await site.get(`/a/${id}/log/${path}`);
      const absent = await site.get(`/a/${id.replace(/.$/u, "0")}x/log/${path}`);
      expect([hidden.status, absent.status]).toEqual([404, 404]);
      expect(await hidden.text()).not.toContain("six");
      expect((await site.get(`/a/${id}/log/${path}`, { as })).status).toBeLessThan(400);
    }
  });

  test("is no fault of the farm's where who asked leaves before it was read", async () => {
    const id = await recorded(LONG.repeat(1000));
    const leaves = new AbortController();
    const asked = site.get(`/a/${id}/log/lines`, { signal: leaves.signal });
    setTimeout(() => leaves.abort());
    await asked.catch(() => undefined);
    expect(site.farm.failures).toEqual([]);
    expect(await site.text(`/a/${id}/log/lines?from=2000000&count=1`)).toContain("a line");
  });

  test("where none is kept, or no such page of it, that is said", async () => {
    const none = await site.farm.record({ project: "six" });
    const id = await recorded(LONG);
    for (const path of [`/a/${none}/log/1`, `/a/${id}/log/3`, `/a/${id}/log/0`, "/a/x/log/1"])
      expect((await site.get(path)).status).toBe(404);
  });
});
