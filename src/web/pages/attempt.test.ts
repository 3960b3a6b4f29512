import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { TestOutcome, TestResult } from "../../model/attempt.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import { DOWNLOADS } from "../../pages/shell/place.ts";
import { arrive } from "../api/farm.sample.ts";
import { keep, keepReport, LOCK } from "./attempt.sample.ts";
import { sampleSite, type SampleSite } from "./site.sample.ts";

let site: SampleSite;
beforeEach(async () => {
  site = await sampleSite();
});
afterEach(() => site[Symbol.asyncDispose]());

const { axes, evidence } = sampleAttempt();
const ran = (id: string, outcome: TestOutcome, seconds = 0.1): TestResult => ({
  id,
  outcome,
  seconds,
  ...(outcome === "failed" ? { message: `E   assert ${id}` } : {}),
});

test("one sentence first, then what failed and why, the time, the evidence and how to have it again", async () => {
  const id = await site.farm.record({
    plan: {
      rung: "B1",
      command: "python -m pytest",
      rejected: [{ rung: "C1", why: "has no tox" }],
    },
    evidence: {
      ...evidence,
      firstLines: ["E   assert 1 == 2"],
      repairs: ["installed hypothesis"],
      attempts: ["tried to write /etc/hosts"],
      contradictions: ["the runner finished twice"],
      differing: ["tests/test_a.py::test_only_here"],
      gaps: ["tkinter"],
      limits: {
        memoryPeakBytes: 215_400_000,
        oomKills: 1,
        pidsRefused: 2,
        cpuSeconds: 1.5,
        diskBytes: 2000,
        diskFull: true,
      },
    },
  });
  const text = await site.text(`/a/${id}`);
  const order = [
    "<h1>mine 1.0 on CPython 3.13</h1>",
    "mine 1.0 fails on CPython 3.13: 1 of 3 tests fails; who must act: the package; confirmed: both runs agree.",
    'href="/p/mine"',
    'href="/p/mine/1.0"',
    "E   assert 1 == 2",
    "1 test did not pass",
    "tests/test_a.py::test_b",
    "Since the attempt before",
    "Where the time went",
    '<h2 id="log">',
    "the runner finished twice",
    "installed hypothesis",
    "tests/test_a.py::test_only_here",
    "files.example:443",
    "tried to write /etc/hosts",
    "215 MB",
    "and the disk was full",
    "tkinter",
    "has no tox",
    "All that the outcome may depend on",
    "cpython-3.13.5",
    `./creamery reproduce ${id}`,
    ">All tests</h2>",
  ];
  const places = order.map((part) => [part, text.indexOf(part)] as const);
  expect(places.filter(([, at]) => at < 0)).toEqual([]);
  expect(places.map(([, at]) => at)).toEqual(places.map(([, at]) => at).toSorted((a, b) => a - b));
});

test("its contents lead to what is there, also where nothing ran", async () => {
  const ids = [
    await site.farm.record({}),
    await site.farm.record({ outcome: "skip", cause: null, tests: null, seconds: {} }),
  ];
  const texts = await Promise.all(ids.map((id) => site.text(`/a/${id}`)));
  for (const text of texts) {
    const contents = /<nav class="contents".*?<\/nav>/su.exec(text)?.[0] ?? "";
    const led = [...contents.matchAll(/href="#([a-z]+)"/gu)].map(([, id = ""]) => id);
    expect(led.length).toBeGreaterThan(4);
    expect(led.filter((id) => !text.includes(`id="${id}"`))).toEqual([]);
  }
  expect(texts.map((text) => text.includes('href="#time"'))).toEqual([true, false]);
});

describe("the tests of its report", () => {
  let id: string;
  beforeEach(async () => {
    id = await site.farm.record({});
    await keepReport(
      site,
      id,
      Array.from({ length: 450 }, (_, at) =>
        ran(`t.py::n${at}_`, at === 449 ? "failed" : "passed"),
      ),
    );
  });

  test("are shown 200 a page, what failed first", async () => {
    const first = await site.text(`/a/${id}`);
    expect(first).toContain("450 tests; page 1 of 3");
    expect(first.match(/<code>t\.py::n\d+_<\/code>/gu)).toHaveLength(200);
    expect(first.indexOf("n449_")).toBeLessThan(first.indexOf("n0_"));
    expect(first).toContain(`href="/a/${id}?page=2#tests"`);
    const last = await site.text(`/a/${id}?page=3`);
    expect(last).toContain("n448_");
    expect(last.match(/<code>t\.py::n\d+_<\/code>/gu)).toHaveLength(50);
  });

  test("are found by a part of their names and by what came of them", async () => {
    expect(await site.text(`/a/${id}?test=N44`)).toContain("11 tests, with “N44” in the name");
    const failed = await site.text(`/a/${id}?outcome=failed&test=n44`);
    expect(failed).toContain("1 test: did not pass, with");
    expect(await site.text(`/a/${id}?test=nothing`)).toContain("No test, with “nothing”");
    const odd = await site.text(`/a/${id}?outcome=odd&page=-1`);
    expect(odd).toContain("page 1 of 3");
  });

  test("keep what was searched for on the links to their other pages", async () => {
    expect(await site.text(`/a/${id}?test=t.py&outcome=passed`)).toContain(
      `href="/a/${id}?test=t.py&amp;outcome=passed&amp;page=2#tests"`,
    );
  });
});

test("where the report is kept no more, the store has the tests that did not pass", async () => {
  const id = await site.farm.record(
    {},
    { results: [ran("t.py::bad", "failed"), ran("t.py::good", "passed")] },
  );
  const text = await site.text(`/a/${id}?test=t.py`);
  expect(text).toContain("Its report is not kept");
  expect(text).toContain("t.py::bad");
  expect(text).not.toContain("t.py::good");
});

test("modules that could not be collected come first", async () => {
  const id = await site.farm.record({ cause: "collection-error", outcome: "error" });
  await keepReport(site, id, [], [{ id: "tests/test_broken.py", message: "SyntaxError: no" }]);
  const text = await site.text(`/a/${id}`);
  expect(text).toContain("Modules that could not be collected");
  expect(text).toContain("tests/test_broken.py");
});

describe("compared with the attempt before", () => {
  test("each test by what became of it, by both reports", async () => {
    const old = await site.farm.record({
      version: "0.9",
      axes: { ...axes, source: "1".repeat(64) },
    });
    await keepReport(site, old, [
      ran("a", "passed"),
      ran("b", "failed"),
      ran("c", "failed"),
      ran("d", "passed"),
      ran("e", "passed", 1),
    ]);
    await site.farm.record({ version: "1.0", cause: "vm-resume", outcome: "error" });
    await site.farm.record({ version: "1.0" }, { reason: "confirm", of: old });
    const id = await site.farm.record({ version: "1.0", comparison: "new-fail" });
    await keepReport(site, id, [
      ran("a", "failed"),
      ran("b", "passed"),
      ran("c", "failed"),
      ran("e", "passed", 3),
      ran("f", "passed"),
    ]);
    const text = await site.text(`/a/${id}`);
    expect(text).toContain(`<a href="/a/${old}">mine 0.9, attempt ${old}</a>`);
    expect(text).not.toContain("Other inputs");
    const lists = [
      ...text.matchAll(
        /<summary>([A-Z][^<]*) <span class="soft">\(1\)<\/span><\/summary>\s*<ul>(?:(?!<\/ul>).)*<code>(\w)<\/code>/gsu,
      ),
    ];
    expect(lists.map(([, title, name]) => [title, name])).toEqual([
      ["Newly failing", "a"],
      ["Still failing", "c"],
      ["Fixed", "b"],
      ["Much slower: at least 2 times as long and 1 s more", "e"],
      ["New", "f"],
      ["Gone", "d"],
    ]);
  });

  test("says which inputs moved for another reason than the release", async () => {
    await site.farm.record({
      axes: { ...axes, lock: "9".repeat(64), image: "2026.10.1+aa" },
      image: "2026.10.1+aa",
    });
    const text = await site.text(`/a/${await site.farm.record({ comparison: "incomparable" })}`);
    expect(text).toContain(
      "Other inputs are different too: <strong>image</strong>, <strong>lock</strong>",
    );
    expect(text).toContain("<code>2026.10.1+aa</code>");
  });

  test("by the failures of the store where a report is gone", async () => {
    await site.farm.record(
      {},
      { results: [ran("t::mended", "failed"), ran("t::stays", "failed")] },
    );
    const id = await site.farm.record(
      {},
      { results: [ran("t::stays", "failed"), ran("t::breaks", "failed")] },
    );
    const text = await site.text(`/a/${id}`);
    expect(text).toContain("only what failed is known");
    expect(text).toMatch(
      /Fail now, and did not before.*t::breaks.*Still failing.*t::stays.*Failed before, and do not now.*t::mended/su,
    );
  });

  test("with nothing where it is the first, or only confirms another", async () => {
    const first = await site.farm.record({});
    expect(await site.text(`/a/${first}`)).toContain("no older attempt");
    const confirms = await site.farm.record({}, { reason: "confirm", of: first });
    const text = await site.text(`/a/${confirms}`);
    expect(text).toContain("This run confirms another");
    expect(text).toContain(
      `It ran attempt <a href="/a/${first}">${first}</a> again, to confirm it`,
    );
    expect(await site.text(`/a/${first}`)).toMatch(
      new RegExp(`To confirm it were run:.*/a/${confirms}`, "su"),
    );
  });
});

test("its lock is named and linked, as far as it is kept", async () => {
  const id = await site.farm.record({ evidence: { ...evidence, lock: "kept" } });
  expect(await site.text(`/a/${id}`)).toContain("Its lock is not kept any more");
  await keep(site, id, "pylock.toml", LOCK);
  const text = await site.text(`/a/${id}`);
  expect(text).toContain("<code>cffi==2.0.0</code>");
  expect(text).toContain(`href="/a/${id}/pylock.toml"`);
  // Nothing was built with files of the index.
  expect(text).not.toContain("pylock.build.toml");
  const built = await site.farm.record({
    evidence: { ...evidence, lock: "kept", buildLock: "kept" },
  });
  expect(await site.text(`/a/${built}`)).not.toContain(`href="/a/${built}/pylock.build.toml"`);
  await keep(site, built, "pylock.toml", LOCK);
  expect(await site.text(`/a/${built}`)).toContain(`href="/a/${built}/pylock.build.toml"`);
});

test("a beginning of an id that only one has leads to it, of those who look may see", async () => {
  const id = await site.farm.record({});
  const to = async (path: string, as?: string) => {
    const answer = await site.get(path, as === undefined ? {} : { as });
    return [answer.status, answer.headers.get("location")];
  };
  expect(await to(`/a/${id.slice(0, 8)}`)).toEqual([303, `/a/${id}`]);
  expect(await to(`/a/${id.slice(0, 3)}`)).toEqual([404, null]);
  await site.farm.record({ project: "secret" }, { visibility: "private" });
  expect(await to(`/a/${id.slice(0, 8)}`)).toEqual([303, `/a/${id}`]);
  const as = await site.farm.token(["read-private"]);
  expect(await to(`/a/${id.slice(0, 8)}`, as)).toEqual([404, null]);
});

test("a private attempt is answered exactly as one that is not there, its files and all, and neither baseline nor rerun of it is told", async () => {
  const id = await site.farm.record(
    { project: "secret", evidence: { ...evidence, lock: "l" } },
    { visibility: "private" },
  );
  for (const [name, content] of [
    ["log.txt", "log"],
    ["pylock.toml", LOCK],
    ["pylock.build.toml", LOCK],
  ] as const)
    await keep(site, id, name, content);
  const as = await site.farm.token(["read-private"]);
  const other = `${id.slice(0, -1)}${id.endsWith("z") ? "y" : "z"}`;
  const paths = ["", ...DOWNLOADS.map((name) => `/${name}`), `?test=a`];
  for (const path of paths) {
    const [hidden, missing] = await Promise.all([
      site.get(`/a/${id}${path}`),
      site.get(`/a/${other}${path}`),
    ]);
    expect([path, hidden.status, missing.status]).toEqual([path, 404, 404]);
    expect((await hidden.text()).replaceAll(id, "ID")).toBe(
      (await missing.text()).replaceAll(other, "ID"),
    );
    expect((await site.get(`/a/${id}${path}`, { as })).status).toBe(200);
  }
  const rerun = await site.farm.record({ project: "open" }, { of: id, reason: "reproduce" });
  expect(await site.text(`/a/${rerun}`)).not.toContain(id);
});

describe("an attempt that runs", () => {
  const live = (project: string, visibility: "public" | "private") => {
    const attempt = site.farm.deps.newId();
    site.farm.deps.live.begin({
      attempt,
      job: null,
      project,
      visibility,
      configuration: "pypy-3.11",
    });
    return attempt;
  };

  test("has a page that says so, and since when", async () => {
    const id = live("six", "public");
    site.farm.nowMs += 5 * 60_000;
    const text = await site.text(`/a/${id}`);
    expect(text).toMatch(
      /six is being tested on PyPy 3\.11, since <time [^>]*>(?:4|5) minutes ago/u,
    );
    expect(text).toContain(`<a href="/a/${id}">Load it again</a>`);
    site.farm.deps.live.end(id, "pass");
    const ended = await site.text(`/a/${id}`);
    expect(ended).toMatch(/<p class="lead" data-from-end>.*six has come to its end/u);
    expect(ended).not.toContain("is being tested");
    expect(ended).not.toMatch(/ on [ :<]/u);
  });

  test("is known by the lease of its job too", async () => {
    await site.farm.enqueue("six");
    const workerId = await arrive(site.farm, "one");
    const [leased] = await site.farm.deps.queue.claim({ workerId, most: 1 });
    const text = await site.text(`/a/${leased?.attempt ?? ""}`);
    expect(text).toContain("six 1.0 is being tested on CPython 3.13");
    expect(text).toContain("a release was published");
  });

  test("of a private project is none, but to who may see it in the queue", async () => {
    const id = live("secret", "private");
    const as = await site.farm.token(["operate"]);
    expect((await site.get(`/a/${id}`)).status).toBe(404);
    expect((await site.get(`/a/${id}`, { as })).status).toBe(200);
  });
});

test("whatever a package wrote is shown as text", async () => {
  const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`;
  const id = await site.farm.record({
    version: evil,
    cause: `build-backend(${evil})`,
    plan: { rung: evil, command: evil, rejected: [{ rung: evil, why: evil }] },
    seconds: { [evil]: 4, total: 5 },
    evidence: {
      ...evidence,
      firstLines: [evil],
      failing: [{ id: evil, outcome: "failed", message: evil }],
      differing: [evil],
      contradictions: [evil],
      repairs: [evil],
      refused: [{ target: evil, kind: "dns", count: 2 }],
      attempts: [evil],
      smoke: [{ what: "script", name: evil, text: evil }],
      gaps: [evil],
      installedPath: evil,
      lock: "kept",
    },
  });
  await keepReport(
    site,
    id,
    [{ ...ran(evil, "failed"), message: evil }],
    [{ id: evil, message: evil }],
  );
  await keep(site, id, "pylock.toml", LOCK.replace("cffi", "<script>"));
  const text = await site.text(`/a/${id}?test=${encodeURIComponent("<script>")}`);
  expect(text).not.toMatch(/<script(?! type="module" src="\/assets\/)|<img/u);
  expect(text.split("&lt;script&gt;").length).toBeGreaterThan(15);
});
