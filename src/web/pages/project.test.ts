import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { recordDrawn, type DrawnProject } from "../../pages/project/project.sample.ts";
import { sampleSite, type SampleSite } from "./site.sample.ts";

let site: SampleSite;
beforeEach(async () => {
  site = await sampleSite();
});
afterEach(() => site[Symbol.asyncDispose]());

const DAY_MS = 86_400_000;

function draw(change: Partial<DrawnProject> & Pick<DrawnProject, "releases">) {
  return recordDrawn(site.farm.database, {
    project: "lmdb",
    configurations: ["cpython-3.13", "cpython-3.14", "pypy-3.11"],
    startMs: site.farm.nowMs - DAY_MS,
    ...change,
  });
}

const REGRESSED = [
  ["2.0", "ppp"],
  ["2.1", "ppf"],
  ["2.2", "ppf"],
] as const;

describe("the page of a project", () => {
  test("begins with how its newest release stands", async () => {
    await draw({ releases: REGRESSED });
    const text = await site.text("/p/lmdb");
    expect(text).toMatch(
      /<p class="lead"><strong><a href="\/p\/lmdb\/2.2">2.2<\/a><\/strong>: Passes everywhere but PyPy 3.11, where it has failed since 2.1.<\/p>/u,
    );
  });

  test("takes a final release for the newest, not a pre-release after it nor an older one tested later", async () => {
    await draw({
      releases: [
        ["2.0", "ppp"],
        ["2.1rc1", "fff"],
        ["1.9.5", "fff"],
      ],
    });
    expect(await site.text("/p/lmdb")).toContain("2.0</a></strong>: Passes everywhere");
  });

  test("links each cell to its attempt, by word, configuration and release, and marks where a regression begins", async () => {
    const ids = await draw({ releases: REGRESSED });
    const text = await site.text("/p/lmdb");
    const cell = (version: string, configuration: string) => {
      const id = ids.get(`${version} ${configuration}`) ?? "";
      return new RegExp(`<a class="([^"]*)" href="/a/${id}" aria-label="([^"]*)">(.)</a>`, "u")
        .exec(text)
        ?.slice(1);
    };
    expect(cell("2.2", "cpython-3.13")).toEqual(["v-pass", "pass, CPython 3.13, 2.2", "✓"]);
    expect(cell("2.2", "pypy-3.11")).toEqual(["v-fail l", "fail, PyPy 3.11, 2.2", "✗"]);
    expect(cell("2.1", "pypy-3.11")).toEqual([
      "v-fail began l",
      "fail, PyPy 3.11, 2.1; passed in 2.0",
      "✗",
    ]);
  });

  test("shows pushes apart from releases", async () => {
    const commit = "c0ffee".padEnd(40, "1");
    await draw({ releases: [["1.0", "ppp"]] });
    await draw({ releases: [[commit, "fff"]], told: { reason: "push" } });
    const text = await site.text("/p/lmdb");
    const [releases = "", pushes = ""] = text.split("<h2>Pushes</h2>");
    expect(releases).toContain("Passes everywhere");
    expect(releases).not.toContain("c0ffee");
    expect(pushes).toContain(`<a href="/p/lmdb/${commit}">c0ffee111111</a>`);
  });

  test("shows the newest 100 releases, and older ones on a page of their own", async () => {
    await draw({
      configurations: ["cpython-3.13"],
      releases: Array.from({ length: 102 }, (_, minor) => [`1.${minor}`, "p"] as const),
    });
    const first = await site.text("/p/lmdb");
    expect(first).toContain(`href="/p/lmdb?before=1.2"`);
    expect(first).toContain(`href="/p/lmdb/1.2"`);
    expect(first).not.toContain(`href="/p/lmdb/1.1"`);
    const older = await site.text("/p/lmdb?before=1.2");
    expect([...older.matchAll(/<th scope="row"><a href="([^"]+)"/gu)].map(([, to]) => to)).toEqual([
      "/p/lmdb/1.1",
      "/p/lmdb/1.0",
    ]);
    expect((await site.get("/p/lmdb?before=what")).status).toBe(400);
  });

  test("leads from any other spelling of the name to its own", async () => {
    await site.farm.record({ project: "zope-interface" });
    const answer = await site.get("/p/Zope.Interface");
    expect([answer.status, answer.headers.get("location")]).toEqual([301, "/p/zope-interface"]);
    expect((await site.get("/p/Zope.Interface/1.0")).headers.get("location")).toBe(
      "/p/zope-interface/1.0",
    );
  });

  test("shows the tests and the time of releases on the configuration with most results, as numbers too", async () => {
    await draw({
      releases: [
        ["1.0", "ppp"],
        ["1.1", "pfp"],
        ["1.2", ".p."],
      ],
      change: ({ tests }, release) => ({
        tests: tests === null ? null : { ...tests, collected: 100 + release, failed: release },
        seconds: { total: 60 * (release + 1) },
      }),
    });
    const text = await site.text("/p/lmdb");
    expect(text).toContain("On CPython 3.14, the configuration with most results, 3 releases.");
    expect(text).toContain("102 in the newest, between 100 and 102");
    expect(text).toContain("1.1: 101 tests, 1 failed");
    expect(text).toMatch(
      /1\.1<\/a><\/th><td class="number">101<\/td><td class="number">1<\/td><td class="number">2 min 0 s/u,
    );
  });

  test("says who depends on it and how these stand, and on whom it depends", async () => {
    await draw({
      releases: [["1.0", "p"]],
      told: {
        dependencies: [
          { name: "cffi", kind: "run" },
          { name: "pytest", kind: "extra" },
        ],
      },
    });
    await draw({ project: "cffi", releases: [["1.0", "p"]] });
    await draw({
      project: "kvstore",
      releases: [["1.0", "pf?"]],
      told: { dependencies: [{ name: "lmdb", kind: "build" }] },
    });
    const text = await site.text("/p/lmdb");
    expect(text).toContain("1 project that the farm has tested needs lmdb");
    expect(text).toMatch(/href="\/p\/kvstore">kvstore<\/a>.*passes on 1 of 2/u);
    expect(text).toContain(`<li><a href="/p/cffi">cffi</a></li>`);
    expect(text).toContain("<li>pytest</li>");
  });

  test("says what was withdrawn", async () => {
    await draw({
      releases: [
        ["1.0", "p"],
        ["1.1", "p"],
      ],
    });
    const row = { project: "lmdb", version: "1.0", state: "yanked", since_ms: 0 };
    await site.farm.database.write((db) =>
      db
        .insertInto("withdrawn")
        .values({ ...row, reason: "<b>broken</b>" })
        .execute(),
    );
    expect(await site.text("/p/lmdb")).toContain(`1.0</a> <span class="soft">yanked</span></th>`);
    expect(await site.text("/p/lmdb/1.0")).toContain(
      "This release was yanked on its index</strong>: &lt;b&gt;broken&lt;/b&gt;.",
    );
    expect(await site.text("/p/lmdb/1.1")).not.toContain("yanked");
  });
});

describe("the page of a release", () => {
  test("says how it stands, on each configuration, and what was said where it fails, each cause once", async () => {
    await draw({
      releases: [
        ["1.0", "ppp"],
        ["2.0", "ffs"],
      ],
      change: ({ evidence }) => ({
        evidence: { ...evidence, firstLines: ["E   <script>alert(1)</script>"] },
      }),
    });
    const text = await site.text("/p/lmdb/2.0");
    expect(text).toContain(`<p class="lead">Newly fails everywhere (1.0 passed).</p>`);
    expect(text).toContain(
      "<p>Skipped on PyPy 3.11: it does not claim to support this Python version.</p>",
    );
    expect(text.match(/E {3}&lt;script&gt;alert\(1\)/gu)?.length).toBe(1);
    expect(text).not.toContain("<script>alert");
    expect(text).toContain("CPython 3.13, CPython 3.14 · <code>test-failure</code>");
    expect(text).toContain("(for the package to mend; 2 of 2 runs agree)");
    expect(text).toContain(`Before it: <a href="/p/lmdb/1.0">1.0</a>`);
  });

  test("counts what only the farm failed at as no failure", async () => {
    await draw({ releases: [["2.0", "pp?"]] });
    const text = await site.text("/p/lmdb/2.0");
    expect(text).toContain("Passes on CPython 3.13 and 3.14.");
    expect(text).toContain("No verdict yet on PyPy 3.11");
    expect(text).not.toContain("What was said");
  });

  test("is there for a release that waits to be tested, as the queue links to it", async () => {
    await draw({ releases: [["1.0", "ppp"]] });
    const configurations = ["cpython-3.13", "cpython-3.14"] as const;
    await site.farm.enqueue("lmdb", {
      word: "lmdb==2.0",
      version: "2.0",
      configurations: configurations.map((name) => ({ name, lane: "priority" })),
    });
    const text = await site.text("/p/lmdb/2.0");
    expect(text).toContain(`<p class="lead">It was not tested yet.</p>`);
    expect(text).toContain("It waits or runs on 2 configurations.");
    await site.farm.enqueue("secret", { version: "2.0", visibility: "private" });
    expect((await site.get("/p/secret/2.0")).status).toBe(404);
  });

  test("is found by another spelling of its version, and by none of what it is not", async () => {
    await draw({ releases: [["2.0", "ppp"]] });
    const answer = await site.get("/p/lmdb/v2.0.0");
    expect([answer.status, answer.headers.get("location")]).toEqual([302, "/p/lmdb/2.0"]);
    for (const version of ["2.1", "x".repeat(2000), "%00", "feed.xml.gz"])
      expect((await site.get(`/p/lmdb/${version}`)).status).toBe(404);
  });
});

describe("a private project", () => {
  beforeEach(async () => {
    await draw({
      project: "secret",
      releases: REGRESSED,
      told: { visibility: "private", dependencies: [{ name: "lmdb", kind: "run" }] },
    });
    await draw({
      releases: [["1.0", "p"]],
      told: { dependencies: [{ name: "secret", kind: "run" }] },
    });
  });

  test("is answered exactly as one that is not there, on each page", async () => {
    for (const [path, other] of [
      ["/p/secret", "/p/nothere"],
      ["/p/secret/2.0", "/p/nothere/2.0"],
      ["/p/secret/matrix.svg", "/p/nothere/matrix.svg"],
      ["/badge/secret.svg", "/badge/nothere.svg"],
      ["/badge/secret.json", "/badge/nothere.json"],
    ] as const) {
      const [answer, expected] = [await site.get(path), await site.get(other)];
      expect(answer.status).toBe(404);
      const text = (await answer.text()).replaceAll("secret", "nothere");
      expect([path, text]).toEqual([path, await expected.text()]);
    }
  });

  test("is counted and listed for nobody who may not see it, and linked from nowhere", async () => {
    const text = await site.text("/p/lmdb");
    expect(text).toContain("Nobody the farm has tested needs lmdb");
    expect(text).not.toContain(`href="/p/secret"`);
    expect(text).toContain("<li>secret</li>");
  });

  test("is there for who may see it, and nobody else keeps the answer", async () => {
    const as = await site.farm.token(["read-private"]);
    expect(await site.text("/p/secret", as)).toContain("Passes everywhere but PyPy 3.11");
    const text = await site.text("/p/lmdb", as);
    expect(text).toContain("1 project that the farm has tested needs lmdb");
    expect(text).toContain(`href="/p/secret"`);
    const badge = await site.get("/badge/secret.svg", { as });
    expect([badge.status, badge.headers.get("cache-control")]).toEqual([
      200,
      "private, max-age=300",
    ]);
  });
});

test("names and versions of hostile packages are shown as text", async () => {
  const version = `1.0+"><script>alert(1)</script>`;
  await draw({ releases: [[version, "ppf"]] });
  for (const path of ["/p/lmdb", `/p/lmdb/${encodeURIComponent(version)}`]) {
    const text = await site.text(path);
    expect(text).not.toContain("<script>alert");
    expect(text).toContain("&lt;script&gt;alert(1)");
  }
});
