import { clip, printableLine } from "../../base/bounded-text.ts";
import { parseCause } from "../../model/result-words.ts";
import type { ChangeKind } from "../../model/settle-verdict.ts";
import type { ChangeSide, ListedChange } from "../../store/sql/verdict-changes.ts";
import { causeWords } from "../shell/cause-words.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { lookOf, wordOf, type Look } from "../shell/words.ts";

/** Changes of verdict in plain words: the same on pages and in feeds. All of it is bounded and printable, on one line. */

const MAX_NAME_CHARS = 100;
const MAX_VERSION_CHARS = 60;

const TURNS: Readonly<Record<ChangeKind, string>> = {
  broke: "broke",
  fixed: "passes again",
  changed: "fails otherwise",
};

/** `broke`, `passes again`, `fails otherwise`. */
export function turnWords(kind: ChangeKind): string {
  return TURNS[kind];
}

/** `lmdb`, as it is shown. */
export function nameWords({ project }: Pick<ListedChange, "project">): string {
  return clip(printableLine(project), MAX_NAME_CHARS);
}

/** Of a release its version; of a repository its branch or tag. Empty where nothing is known. */
export function versionWords({ line, now }: Pick<ListedChange, "line" | "now">): string {
  return shownVersion(line === "" ? now.version : line.replace(/^refs\/(?:heads|tags)\//u, ""));
}

export function shownVersion(version: string): string {
  return clip(printableLine(version), MAX_VERSION_CHARS);
}

/** `lmdb 1.7 broke on CPython 3.13` */
export function changeTitle(change: ListedChange): string {
  const what = `${nameWords(change)} ${versionWords(change)}`.trim();
  return `${what} ${turnWords(change.kind)} on ${configurationWords(change.configuration)}`;
}

export function sideLook({ outcome, cause }: ChangeSide): Look {
  return lookOf(outcome, cause === null ? null : (parseCause(cause)?.kind ?? null));
}

/** `pass`; `fail: tests fail` */
export function sideWords(side: ChangeSide): string {
  const word = wordOf(sideLook(side));
  return side.cause === null ? word : `${word}: ${causeWords(side.cause).text}`;
}

/** What people say of a root: `since numpy 2.4`, `because of cffi`; of a cause the cause. */
export function rootWords(root: string): string {
  const shown = clip(printableLine(root), 200);
  // A project may be called as a kind of cause is; none has a bracket in its name.
  if (shown.includes("(") && parseCause(shown) !== null) return `because ${causeWords(shown).text}`;
  return shown.includes(" ") ? `since ${shown}` : `because of ${shown}`;
}
