import { expect, test } from "vitest";

import { sdist, wheel } from "../../../test/upstream/change-history.ts";
import { parseProjectPage } from "../../index/page/project-page.ts";
import type { WatchEvent } from "../event.ts";
import {
  compareAbsence,
  comparePage,
  firstFacts,
  mayConfirm,
  newestRelease,
  type SeenPage,
} from "./compare-page.ts";
import { NO_FACTS, PageFacts } from "./page-facts.ts";

interface FileSpec {
  readonly name: string;
  readonly yanked?: string;
  readonly content?: string;
  readonly hashless?: boolean;
  readonly uploaded?: string;
}

interface PageSpec {
  readonly serial?: number;
  readonly status?: string;
}

const SDIST = (version: string): FileSpec => ({ name: sdist("mine", version) });
const WHEEL = (version: string): FileSpec => ({ name: wheel("mine", version) });

function seen(files: readonly FileSpec[], { serial, status = "active" }: PageSpec = {}): SeenPage {
  const body = JSON.stringify({
    meta: { "api-version": "1.4" },
    name: "mine",
    "project-status": { status },
    files: files.map(({ name, yanked, content = "a", hashless, uploaded }) => ({
      filename: name,
      url: name,
      hashes: hashless === true ? {} : { sha256: content.repeat(64) },
      yanked: yanked ?? false,
      ...(uploaded === undefined ? {} : { "upload-time": uploaded }),
    })),
  });
  const page = parseProjectPage(Buffer.from(body), "json", "http://index.example/", "mine", "x");
  if (page === null) throw new Error("no page");
  return { page, etag: null, modified: null, serial: serial ?? null };
}

type Look = readonly [minutes: number, page: SeenPage | null];

/** Looks at one page after the other, so many minutes apart; null is a page that is not there. */
function looks(...pages: readonly Look[]): {
  readonly events: readonly WatchEvent[];
  readonly facts: PageFacts;
} {
  let facts = firstFacts(NO_FACTS, pages[0]?.[1] ?? null);
  let now = 1e12;
  const events: WatchEvent[] = [];
  for (const [minutes, page] of pages.slice(1)) {
    now += minutes * 60_000;
    const options = { now, confirmMs: 15 * 60_000, resetMs: 60 * 60_000 };
    // What is known goes through the store.
    const known = PageFacts.parse(JSON.parse(JSON.stringify(facts)));
    const compared =
      page === null ? compareAbsence(known, "mine", options) : comparePage(known, page, options);
    facts = compared.facts;
    events.push(...compared.events);
  }
  return { events, facts };
}

function told(...pages: readonly Look[]): string[] {
  return looks(...pages).events.map((event) =>
    event.kind === "pushed"
      ? ""
      : `${event.kind}${"version" in event ? ` ${event.version}` : ""}${"files" in event && event.kind === "files-added" ? ` ${event.files.join(" ")}` : ""}`,
  );
}

const ONE = seen([SDIST("1.0")]);
const TWO = seen([SDIST("1.0"), SDIST("1.1")]);
const NONE = seen([]);

test("the present is a beginning: nothing of it is told", () => {
  expect(told([0, TWO], [1, TWO])).toEqual([]);
});

test("a new release is told at once, with its files and when they came", () => {
  const { events } = looks(
    [0, ONE],
    [
      1,
      seen([
        SDIST("1.0"),
        { name: sdist("mine", "1.1"), uploaded: "2026-11-24T10:00:00Z" },
        { name: wheel("mine", "1.1"), uploaded: "2026-11-24T10:00:05.123456Z" },
        { name: "mine-1.2.exe" },
        { name: sdist("other", "3.0") },
      ]),
    ],
  );
  expect(events).toEqual([
    {
      kind: "released",
      project: "mine",
      version: "1.1",
      uploadedAt: "2026-11-24T10:00:00Z",
      files: ["mine-1.1.tar.gz", "mine-1.1-py3-none-any.whl"],
    },
  ]);
});

test("a file more of a known release is told as that", () => {
  expect(told([0, ONE], [1, seen([SDIST("1.0"), WHEEL("1.0")])])).toEqual([
    `files-added 1.0 ${wheel("mine", "1.0")}`,
  ]);
});

test("a file that was replaced by another of its name is told once; a stale page that shows the old one is not", () => {
  const other = seen([{ ...SDIST("1.0"), content: "b" }]);
  expect(told([0, ONE], [1, other], [1, ONE], [1, other], [20, ONE])).toEqual([
    `files-added 1.0 ${sdist("mine", "1.0")}`,
  ]);
});

test("an index that says a hash at one time and none at another says nothing new", () => {
  const hashless = seen([{ ...SDIST("1.0"), hashless: true }]);
  expect(told([0, ONE], [1, hashless], [1, ONE])).toEqual([]);
  expect(told([0, hashless], [1, ONE], [1, hashless])).toEqual([]);
});

test("a yank is told at once and its end when it stays; a file of it that is not yanked means that it is not", () => {
  const reasoned = seen([
    { ...SDIST("1.0"), yanked: "broken" },
    { ...WHEEL("1.0"), yanked: "" },
  ]);
  const half = seen([{ ...SDIST("1.0"), yanked: "broken" }, WHEEL("1.0")]);
  const neither = seen([SDIST("1.0"), WHEEL("1.0")]);
  expect(looks([0, neither], [1, half], [1, reasoned]).events).toEqual([
    { kind: "yanked", project: "mine", version: "1.0", reason: "broken" },
  ]);
  expect(told([0, neither], [1, reasoned], [1, neither], [14, neither])).toEqual(["yanked 1.0"]);
  expect(told([0, neither], [1, reasoned], [1, neither], [15, neither])).toEqual([
    "yanked 1.0",
    "unyanked 1.0",
  ]);
});

test("a release that was yanked before it was seen is told as both", () => {
  expect(told([0, NONE], [1, seen([{ ...SDIST("1.0"), yanked: "" }])])).toEqual([
    "released 1.0",
    "yanked 1.0",
  ]);
});

test("a removed release is told when it stays away, and once", () => {
  expect(told([0, TWO], [1, ONE], [14, ONE])).toEqual([]);
  expect(told([0, TWO], [1, ONE], [15, ONE], [30, ONE])).toEqual(["release-removed 1.1"]);
});

test("a stale edge that shows the page before the release makes nothing of it", () => {
  expect(told([0, ONE], [1, TWO], [1, ONE], [10, TWO], [4, ONE], [14, TWO], [1, ONE])).toEqual([
    "released 1.1",
  ]);
});

test("a release that is there again after it was removed is told when it stays, or has a file that was never seen", () => {
  const removed = [
    [0, TWO],
    [1, ONE],
    [15, ONE],
  ] as const;
  expect(told(...removed, [1, TWO], [14, TWO])).toEqual(["release-removed 1.1"]);
  expect(told(...removed, [1, TWO], [15, TWO])).toEqual(["release-removed 1.1", "released 1.1"]);
  expect(told(...removed, [1, seen([SDIST("1.0"), WHEEL("1.1")])])).toEqual([
    "release-removed 1.1",
    "released 1.1",
  ]);
});

test("a project that is not there twice, at some distance, is removed; it lives again with its newest release", () => {
  expect(told([0, TWO], [1, null], [14, null])).toEqual([]);
  expect(told([0, TWO], [1, null], [10, TWO], [10, null], [10, TWO])).toEqual([]);
  expect(told([0, TWO], [1, null], [15, null], [15, null])).toEqual(["project-removed"]);
  expect(told([0, TWO], [1, null], [15, null], [1, TWO], [15, TWO])).toEqual([
    "project-removed",
    "released 1.1",
  ]);
});

test("a project that was not there yet tells all its releases when it is", () => {
  expect(told([0, null], [1, null], [60, null], [1, TWO], [1, TWO])).toEqual([
    "released 1.0",
    "released 1.1",
  ]);
});

test("a quarantined project is told at once, its files are not taken for removed, and its end is told when it stays", () => {
  const quarantined = seen([], { status: "quarantined" });
  expect(told([0, TWO], [1, quarantined], [20, quarantined])).toEqual(["quarantined"]);
  expect(told([0, TWO], [1, quarantined], [1, TWO], [15, TWO])).toEqual([
    "quarantined",
    "unquarantined",
  ]);
  expect(
    told([0, TWO], [1, quarantined], [1, TWO], [15, TWO], [1, quarantined], [15, quarantined]),
  ).toEqual(["quarantined", "unquarantined", "quarantined"]);
});

test("a page without files is one whose releases were removed", () => {
  expect(told([0, TWO], [1, NONE], [15, NONE])).toEqual([
    "release-removed 1.0",
    "release-removed 1.1",
  ]);
});

const at = (serial: number, ...files: readonly FileSpec[]): SeenPage => seen(files, { serial });

test("a higher serial vouches for what goes back: nothing needs to be confirmed", () => {
  const yanked = { ...SDIST("1.0"), yanked: "" };
  expect(
    told(
      [0, at(1, SDIST("1.0"), SDIST("1.1"))],
      [1, at(2, yanked)],
      [1, at(3, SDIST("1.0"))],
      [1, at(4, yanked, SDIST("1.1"))],
    ),
  ).toEqual(["yanked 1.0", "release-removed 1.1", "unyanked 1.0", "yanked 1.0", "released 1.1"]);
});

test("a page with a lower serial is not read at all, however long its edge is stale", () => {
  const { events, facts } = looks(
    [0, at(5, SDIST("1.0"), SDIST("1.1"))],
    [1, at(4, SDIST("1.0"), SDIST("0.9"))],
    [40, at(4, SDIST("1.0"))],
  );
  expect(events).toEqual([]);
  expect(facts.serial).toBe(5);
  expect(facts.behindSince).not.toBeNull();
});

test("an index whose serials stay lower counts anew: its pages are read again, and believed when they stay", () => {
  expect(
    told(
      [0, at(500, SDIST("1.0"), SDIST("1.1"))],
      [1, at(4, SDIST("1.0"))],
      [60, at(4, SDIST("1.0"))],
      [1, at(5, SDIST("1.0"), SDIST("1.2"))],
    ),
  ).toEqual(["released 1.2", "release-removed 1.1"]);
});

test("more than one look may report comes in pieces, none of them lost or told twice", () => {
  const many = seen(Array.from({ length: 1200 }, (_, index) => SDIST(`1.${index}`)));
  expect(told([0, NONE], [1, many], [0, many])).toHaveLength(1000);
  const all = told([0, NONE], [1, many], [0, many], [0, many], [0, many]);
  expect(all).toHaveLength(1200);
  expect(new Set(all).size).toBe(1200);
  const removed = told([0, many], [1, NONE], [15, NONE], [0, NONE], [0, NONE], [0, NONE]);
  expect(removed).toHaveLength(1200);
  expect(new Set(removed).size).toBe(1200);
});

test("what waits to be confirmed asks for the whole page when its time is there", () => {
  const { facts } = looks([0, TWO], [1, ONE]);
  const now = 1e12 + 60_000;
  const options = { now, confirmMs: 15 * 60_000, resetMs: 1 };
  expect(mayConfirm(facts, options)).toBe(false);
  expect(mayConfirm(facts, { ...options, now: now + 15 * 60_000 })).toBe(true);
});

test("the newest release is the highest final one that is not yanked, else the highest pre-release", () => {
  const version = (page: SeenPage): string | null => {
    const event = newestRelease(page.page);
    return event?.kind === "released" ? event.version : null;
  };
  const files = [SDIST("1.9"), SDIST("1.10"), SDIST("2.0rc1"), { ...SDIST("1.11"), yanked: "" }];
  expect(version(seen(files))).toBe("1.10");
  expect(version(seen([SDIST("2.0rc1"), SDIST("2.0a2")]))).toBe("2.0rc1");
  expect(version(NONE)).toBeNull();
});

test("a hostile page's names become nobody's properties", () => {
  const page = seen([
    { name: "__proto__-1.0.tar.gz" },
    { name: "mine-__proto__.tar.gz" },
    SDIST("1!2.0+a.b"),
  ]);
  expect(told([0, NONE], [1, page])).toEqual(["released 1!2.0+a.b"]);
});

test("facts are small: about twelve characters for a file", () => {
  const files = Array.from({ length: 100 }, (_, index) => [
    SDIST(`1.${index}`),
    WHEEL(`1.${index}`),
  ]).flat();
  const text = JSON.stringify(firstFacts(NO_FACTS, seen(files)));
  expect(text.length).toBeLessThan(200 * 12 + 100 * 12 + 400);
});
