import { expect, test } from "vitest";

import { pageAt } from "./page-at.ts";
import { withChanges } from "./page-changes.ts";
import { idOf, PageHistory } from "./page-history.ts";
import { samplePage } from "../page/project-page.sample.ts";
import type { ProjectPage } from "../page/project-page.ts";
import { filesGoneSince, undoChanges } from "./undo-changes.ts";
import { vanishedPage } from "./vanished-page.ts";

interface Listed {
  readonly version: string;
  readonly yanked?: boolean | string;
  /** In the place of its version's own. */
  readonly content?: number;
  readonly uploaded?: string;
}

function pageOf(files: readonly Listed[], status = "active"): ProjectPage {
  return samplePage({
    meta: { "api-version": "1.1" },
    name: "spam",
    "project-status": { status },
    versions: files.map(({ version }) => version),
    files: files.map(({ version, yanked = false, content = Number(version), uploaded }) => ({
      filename: `spam-${version}.tar.gz`,
      url: `https://index.example/spam-${version}.tar.gz?signature=secret`,
      hashes: { sha256: content.toString(16).padStart(64, "0") },
      "upload-time": uploaded ?? "2025-01-01T00:00:00Z",
      yanked,
    })),
  });
}

/** The history of looks at hours 0, 1, 2..., each page as upstream had it then; null for none. */
function looked(...pages: readonly (ProjectPage | null)[]): {
  readonly history: PageHistory | undefined;
  readonly last: ProjectPage | null;
} {
  let history: PageHistory | undefined;
  for (const [index, now] of pages.entries()) {
    const looks = { afterMs: hour(index - 1).getTime(), byMs: hour(index).getTime() };
    history = withChanges(history, index === 0 ? null : (pages[index - 1] ?? null), now, looks);
  }
  return { history, last: pages.at(-1) ?? null };
}

const hour = (n: number): Date => new Date(Date.UTC(2025, 5, 1) + n * 3_600_000);

/** What is told of the page at an instant, all bytes kept unless it is said otherwise. */
function told(
  { history, last }: ReturnType<typeof looked>,
  at: Date,
  isKept = true,
): string[] | null {
  const now =
    last ??
    (history === undefined ? null : vanishedPage("spam", history, at, "https://x.example/"));
  if (now === null) return null;
  const page = { ...now, history };
  const kept = new Set(isKept ? filesGoneSince(page, at).map(idOf) : []);
  const then = pageAt(undoChanges(page, at, kept), at);
  const yanked = (word: string | null): string =>
    word === null ? "" : ` yanked${word === "" ? "" : `: ${word}`}`;
  return [
    ...then.files.map((file) => `${file.filename.slice(5, -7)}${yanked(file.yanked)}`).toSorted(),
    ...(then.status === "active" ? [] : [then.status]),
    ...(then.past?.lost ?? []).map((name) => `lost ${name.slice(5, -7)}`),
  ];
}

const one = { version: "1" };
const two = { version: "2" };

test.each<[string, readonly (ProjectPage | null)[], readonly (readonly string[] | null)[]]>([
  ["nothing changed", [pageOf([one]), pageOf([one])], [["1"], ["1"]]],
  [
    "a yank",
    [pageOf([one]), pageOf([{ ...one, yanked: "broken" }])],
    [["1"], ["1 yanked: broken"]],
  ],
  [
    "a yank that was taken back",
    [pageOf([{ ...one, yanked: true }]), pageOf([one]), pageOf([{ ...one, yanked: "again" }])],
    [["1 yanked"], ["1"], ["1 yanked: again"]],
  ],
  ["a file that was deleted", [pageOf([one, two]), pageOf([one])], [["1", "2"], ["1"]]],
  [
    "one that was yanked, then deleted",
    [pageOf([one, two]), pageOf([one, { ...two, yanked: "bad" }]), pageOf([one])],
    [["1", "2"], ["1", "2 yanked: bad"], ["1"]],
  ],
  [
    "one that was deleted and came back",
    [pageOf([one, two]), pageOf([one]), pageOf([one, two])],
    [["1", "2"], ["1"], ["1", "2"]],
  ],
  [
    "one that was replaced under its name",
    [pageOf([one]), pageOf([{ ...one, content: 99 }])],
    [["1", "1"], ["1"]],
  ],
  ["a project that was removed", [pageOf([one]), null], [["1"], null]],
  [
    "a project that was removed and came back",
    [pageOf([one, two]), null, pageOf([two])],
    [["1", "2"], [], ["2"]],
  ],
  [
    "a status",
    [pageOf([one]), pageOf([one], "quarantined"), null],
    [["1"], ["1", "quarantined"], null],
  ],
])("%s", (_told, pages, states) => {
  const seen = looked(...pages);
  // An instant of each hour, between the look that saw the page so and the next.
  expect(pages.map((_, index) => told(seen, new Date(hour(index).getTime() + 60_000)))).toEqual(
    states,
  );
  expect(
    PageHistory.safeParse(seen.history ?? { schema: 1, changes: [], lostBeforeMs: null }),
  ).toMatchObject({ success: true });
});

test("what happened between two looks counts from the second on: an answer for an instant stays as it was", () => {
  const seen = looked(pageOf([one]), pageOf([{ ...one, yanked: true }]));
  expect(told(seen, new Date(hour(1).getTime() - 1))).toEqual(["1"]);
  expect(told(seen, hour(1))).toEqual(["1 yanked"]);
});

test("a deleted file of which no bytes are kept is not listed, and told as lost", () => {
  const seen = looked(pageOf([one, two]), pageOf([one]));
  expect(told(seen, hour(0), false)).toEqual(["1", "lost 2"]);
});

test("a file that came after the instant and went again is not missed at it", () => {
  const later = { ...two, uploaded: hour(1).toISOString() };
  const seen = looked(pageOf([one]), pageOf([one, later]), pageOf([one]));
  for (const isKept of [true, false]) expect(told(seen, hour(0), isKept)).toEqual(["1"]);
});

test("a version whose files are listed again is listed too", () => {
  const { history, last } = looked(pageOf([one, two]), pageOf([one]));
  if (last === null) throw new Error("no page");
  const page = { ...last, history };
  const kept = new Set(filesGoneSince(page, hour(0)).map(idOf));
  expect(undoChanges(page, hour(0), kept).raw["versions"]).toEqual(["1", "2"]);
});

test("what is kept of a file that is gone holds no signature of its address", () => {
  expect(JSON.stringify(looked(pageOf([one]), pageOf([])).history)).not.toContain("secret");
});

test("a change that another process has noted is not noted twice", () => {
  const before = pageOf([one, two]);
  const now = pageOf([{ ...one, yanked: true }], "archived");
  const theirs = withChanges(undefined, before, now, { afterMs: 0, byMs: 50 });
  expect(withChanges(theirs, before, now, { afterMs: 10, byMs: 100 })).toBe(theirs);
  // The same later on is another change.
  const again = withChanges(theirs, pageOf([one]), pageOf([{ ...one, yanked: true }]), {
    afterMs: 60,
    byMs: 100,
  });
  expect(again?.changes).toHaveLength((theirs?.changes.length ?? 0) + 1);
});

test("a history is bounded by number and by bytes, the oldest goes, and it says so", () => {
  let history: PageHistory | undefined;
  const bounds = { changes: 3, bytes: 100_000 };
  for (let n = 0; n < 10; n++) {
    const [before, now] = [n % 2 === 0, n % 2 !== 0].map((yanked) => pageOf([{ ...one, yanked }]));
    history = withChanges(
      history,
      before ?? null,
      now ?? null,
      { afterMs: n, byMs: n + 1 },
      bounds,
    );
  }
  expect(history?.changes.map(({ byMs }) => byMs)).toEqual([8, 9, 10]);
  expect(history?.lostBeforeMs).toBe(7);
  const many = pageOf(Array.from({ length: 50 }, (_, n) => ({ version: String(n) })));
  const small = { changes: 1000, bytes: 5000 };
  const gone = withChanges(undefined, many, pageOf([]), { afterMs: 0, byMs: 1 }, small);
  expect(JSON.stringify(gone?.changes).length).toBeLessThan(5500);
  expect(gone?.changes.length).toBeGreaterThan(3);
});

test("pages of before what is remembered say so", () => {
  const { last } = looked(pageOf([one]));
  if (last === null) throw new Error("no page");
  const history = { schema: 1 as const, changes: [], lostBeforeMs: hour(3).getTime() };
  const metaAt = (at: Date): unknown => pageAt({ ...last, history }, at).raw["meta"];
  expect(metaAt(hour(2))).toMatchObject({ _creamery: { forgotten: hour(3).toISOString() } });
  expect(JSON.stringify(metaAt(hour(3)))).not.toContain("forgotten");
});

test("an index that changes all of a page of many files at each look is soon done with", () => {
  const files = Array.from({ length: 50_000 }, (_, n) => ({ version: String(n) }));
  const [before, now] = [pageOf(files), pageOf(files.map((file) => ({ ...file, yanked: true })))];
  let history: PageHistory | undefined;
  for (let n = 0; n < 4; n++)
    history = withChanges(history, n % 2 === 0 ? before : now, n % 2 === 0 ? now : before, {
      afterMs: n,
      byMs: n + 1,
    });
  expect(history?.changes).toHaveLength(2000);
});
