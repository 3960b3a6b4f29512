import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { HostFacts } from "../../queue/hosts.ts";
import { Jobs } from "../api/schemas/queue.ts";
import { sampleSite, type SampleSite } from "./site.sample.ts";

let site: SampleSite;
beforeEach(async () => {
  site = await sampleSite();
});
afterEach(() => site[Symbol.asyncDispose]());

/** Keys of the jobs on a page. */
async function keys(path: string, as?: string): Promise<readonly string[]> {
  return [...(await site.text(path, as)).matchAll(/<tr data-key="([^"]+)"/gu)].map(
    ([, key]) => key ?? "",
  );
}

test("shows jobs, the one that was queued last first, with what they are, where they run and why", async () => {
  const one = await site.farm.enqueue("six", { version: "1.0" });
  const other = await site.farm.enqueue("lmdb", {
    reason: "retest",
    configurations: [{ name: "pypy-3.11", lane: "background" }],
  });
  expect(await keys("/queue")).toEqual([other, one]);
  const text = await site.text("/queue");
  for (const words of ["PyPy 3.11", "background", "tested again", "2 jobs are to be done"])
    expect(text).toContain(words);
});

test("leads to the attempt of a job that runs, and no more once it was cancelled: none is kept", async () => {
  const key = await site.farm.enqueue("six", { word: "six", version: "" });
  const { hosts, queue } = site.farm.deps;
  const facts = HostFacts.parse({});
  const { host } = await hosts.arrive({ name: "one", boot: "b1", slots: 1, facts });
  const [job] = await queue.claim({ workerId: host.id, most: 1 });
  const link = `href="/a/${job?.attempt ?? ""}"`;
  const running = await site.text("/queue");
  expect(running).toContain(link);
  expect(running).toContain("its newest release");
  await queue.cancel(key, "by a test");
  const cancelled = await site.text("/queue");
  expect(cancelled).toContain(">cancelled</span>");
  expect(cancelled).not.toContain(link);
});

describe("forms", () => {
  test("narrow it to a project in any spelling, a configuration, a state, a lane; empty fields to nothing", async () => {
    const six = await site.farm.enqueue("six");
    const zope = await site.farm.enqueue("zope-interface", {
      configurations: [{ name: "pypy-3.11", lane: "rest" }],
    });
    await site.farm.deps.queue.cancel(six, "by a test");
    const none = "project=&configuration=&state=&lane=";
    for (const [query, found] of [
      ["project=Zope.Interface", [zope]],
      ["configuration=pypy-3.11", [zope]],
      ["state=cancelled", [six]],
      ["lane=rest", [zope]],
      ["lane=rest&state=cancelled", []],
      ["project=no/name", []],
      [none, [zope, six]],
    ] as const)
      expect(await keys(`/queue?${query}`), query).toEqual(found);
  });

  test("keep what was typed, as text", async () => {
    const text = await site.text(`/queue?project=${encodeURIComponent('"><script>')}&lane=rest`);
    expect(text).toContain('value="&quot;&gt;&lt;script&gt;"');
    expect(text).toMatch(/<option value="rest" selected>/u);
  });

  test("of what no form asks are told so", async () => {
    for (const query of ["state=gone", "lane=x", "configuration=%00", "cursor=x"])
      expect((await site.get(`/queue?${query}`)).status, query).toBe(400);
  });
});

test("goes on to older ones, a page at a time, and keeps the filter", async () => {
  const made: string[] = [];
  for (let at = 0; at < 60; at++)
    made.unshift(await site.farm.enqueue("six", { line: `l${at}`, version: `${at}` }));
  const first = await site.text("/queue?project=six&lane=priority");
  const [, older = ""] = /<a href="([^"]+)" rel="next">/u.exec(first) ?? [];
  expect(older).toContain("project=six&amp;lane=priority&amp;cursor=");
  const next = older.replaceAll("&amp;", "&");
  expect([...(await keys("/queue?project=six&lane=priority")), ...(await keys(next))]).toEqual(
    made,
  );
});

describe("what is for operators alone", () => {
  test("is shown to nobody else: host, why, note", async () => {
    const { deps } = site.farm;
    const key = await site.farm.enqueue("six", { why: "numpy 2.4 is new" });
    await deps.queue.cancel(key, "by somebody");
    const stranger = await site.text("/queue");
    const operator = await site.text("/queue", await site.farm.token(["operate"]));
    for (const words of ["numpy 2.4 is new", "by somebody"]) {
      expect(stranger).not.toContain(words);
      expect(operator).toContain(words);
    }
  });
});

test("shows and counts nothing of a private project to who may not see it", async () => {
  const secret = await site.farm.enqueue("secret", { visibility: "private" });
  const six = await site.farm.enqueue("six");
  const stranger = await site.text("/queue");
  expect(await keys("/queue")).toEqual([six]);
  expect(await keys("/queue?project=secret")).toEqual([]);
  expect(stranger).not.toContain("secret");
  expect(stranger).toContain("1 job is to be done.");
  // As what does not exist, but for the name that was typed.
  const asked = await site.text("/queue?project=secret");
  expect(asked.replaceAll("secret", "nothing")).toBe(await site.text("/queue?project=nothing"));
  for (const as of [
    await site.farm.token(["read-private"]),
    await site.farm.token(["operate"], { projects: ["secret"] }),
  ]) {
    expect(await keys("/queue", as)).toEqual([six, secret]);
    expect(await site.text("/queue", as)).toContain("2 jobs are to be done");
  }
});

test("operators see the jobs that they see over the API", async () => {
  await site.farm.enqueue("secret", { visibility: "private" });
  const as = await site.farm.token(["operate"]);
  const api = await site.farm.ask("/jobs", { as });
  const { jobs } = Jobs.parse(await api.json());
  expect(await keys("/queue", as)).toEqual(jobs.map(({ key }) => key));
});
