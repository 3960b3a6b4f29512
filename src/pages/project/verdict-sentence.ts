import type { Confidence } from "../../model/attempt.ts";
import { clip, printableLine } from "../../base/bounded-text.ts";
import { parseVersion } from "../../python/versions.ts";
import { causeWords } from "../shell/cause-words.ts";
import { configurationParts } from "../shell/configuration-words.ts";
import type { Look } from "../shell/words.ts";
import { badSince, verdictOf, type BadSince, type MatrixRow } from "./matrix.ts";

/** How a version stands on one configuration, as far as a sentence needs it. */
export interface Standing {
  readonly configuration: string;
  readonly look: Look;
  /** As results have it, with or without its detail; null on a pass. */
  readonly cause: string | null;
  readonly confidence: Confidence["kind"];
}

export interface VerdictWords {
  /** One sentence. */
  readonly main: string;
  /** What else is to be known, a sentence each: what was skipped, what the farm owes, what is not sure. */
  readonly notes: readonly string[];
}

const MOST_NAMES = 6;
/** More groups of what is bad than these are told together. */
const MOST_GROUPS = 3;

/** Present and perfect of each look that is bad. */
const VERBS: Readonly<Record<"fail" | "crash" | "killed" | "error", readonly [string, string]>> = {
  fail: ["fails", "has failed"],
  crash: ["crashes", "has crashed"],
  killed: ["meets a limit", "has met a limit"],
  error: ["ends in an error", "has ended in an error"],
};

/**
 * How a version stands, for who asks "is it me?". What only the farm failed at never counts, nor what was skipped.
 * @param standings of all configurations, in their order. @param older rows before it, newest first.
 */
export function verdictSentence(
  version: string,
  standings: readonly Standing[],
  older: readonly MatrixRow[],
): VerdictWords {
  const flaky = standings.filter(isFlaky);
  const sure = standings.filter((one) => !isFlaky(one));
  const good = sure.filter(({ look }) => verdictOf(look) === "good");
  const bad = sure.filter(({ look }) => verdictOf(look) === "bad");
  const skipped = sure.filter(({ look }) => look === "skip");
  const open = sure.filter(({ look }) => look === "farm" || look === "waiting");
  const groups = groupsOf(bad, version, older);
  const isAllSkipped = good.length + bad.length + flaky.length === 0 && skipped.length > 0;
  return {
    main: isAllSkipped
      ? allSkipped(skipped)
      : mainOf(good, bad, groups, flaky.length, open.length, version),
    notes: [
      ...(isAllSkipped && skipReasons(skipped).length === 1 ? [] : skipNotes(skipped)),
      ...(flaky.length === 0
        ? []
        : [`Flaky on ${names(flaky)}: it did not pass, and the same did not fail again.`]),
      ...unconfirmedNote(bad),
      ...(open.length === 0 || good.length + bad.length + flaky.length + skipped.length === 0
        ? []
        : [`No verdict yet on ${names(open)}, where the farm failed and not the package.`]),
    ],
  };
}

function isFlaky({ look, confidence }: Standing): boolean {
  return verdictOf(look) === "bad" && confidence === "flaky";
}

/** Those that do the same since the same version. */
interface Group {
  readonly members: readonly Standing[];
  readonly since: BadSince;
  readonly verbs: readonly [string, string];
}

function groupsOf(
  bad: readonly Standing[],
  version: string,
  older: readonly MatrixRow[],
): readonly Group[] {
  const told = bad.map((one) => {
    const since = badSince(version, one.configuration, older);
    const verbs = verbsOf(one.look);
    return {
      one,
      since,
      verbs,
      key: JSON.stringify([since.version, since.goodIn !== null, verbs]),
    };
  });
  return [...Map.groupBy(told, ({ key }) => key).values()].flatMap((group) => {
    const [first] = group;
    return first === undefined
      ? []
      : [{ members: group.map(({ one }) => one), since: first.since, verbs: first.verbs }];
  });
}

function verbsOf(look: Look): readonly [string, string] {
  return look === "crash" || look === "killed" || look === "error" ? VERBS[look] : VERBS.fail;
}

function mainOf(
  good: readonly Standing[],
  bad: readonly Standing[],
  groups: readonly Group[],
  flakyCount: number,
  openCount: number,
  version: string,
): string {
  const count = good.length + bad.length;
  const [only] = groups;
  if (count === 0) {
    if (flakyCount > 0) return "Flaky wherever it was tested.";
    return openCount > 0
      ? "No verdict yet: the farm failed, not the package."
      : "It was not tested yet.";
  }
  if (bad.length === 0)
    return flakyCount + openCount === 0 && count > 1
      ? `Passes everywhere: on ${all(count)} configurations.`
      : `Passes on ${names(good)}.`;
  if (good.length === 0) {
    const where = bad.length === 1 || flakyCount > 0 ? `on ${names(bad)}` : "everywhere";
    if (only === undefined || groups.length > 1)
      return `Passes nowhere: ${groups.map((group) => clause(group, version)).join("; ")}.`;
    return `${capital(sentenceOf(only, version, where))}.`;
  }
  if (bad.length > good.length || groups.length > MOST_GROUPS)
    return `Fails on ${bad.length} of ${count} configurations${sinceAll(groups, version)}: ${names(bad)}; passes on ${names(good)}.`;
  const but = groups.map((group) => `${names(group.members)}, where it ${happens(group, version)}`);
  return `Passes everywhere but ${list(but, "; ", "; and ")}.`;
}

function clause(group: Group, version: string): string {
  return sentenceOf(group, version, `on ${names(group.members)}`);
}

/** The verb in its present, where, and since when after it. */
function sentenceOf({ verbs, since }: Group, version: string, where: string): string {
  return `${newly(since, version)}${verbs[0]} ${where}${tail(since, version)}`;
}

/** `has failed since 2.1`, `newly fails (2.0 passed)`, `fails`. */
function happens({ since, verbs }: Group, version: string): string {
  const verb = verbs[since.version === version ? 0 : 1];
  return `${newly(since, version)}${verb}${tail(since, version)}`;
}

function newly(since: BadSince, version: string): string {
  return since.version === version && since.goodIn !== null ? "newly " : "";
}

function tail({ version: since, goodIn }: BadSince, version: string): string {
  if (since === version) return goodIn === null ? "" : ` (${versionWords(goodIn)} passed)`;
  return ` since ${versionWords(since)}${goodIn === null ? " or before" : ""}`;
}

/** Since when, where that is the same for all. */
function sinceAll(groups: readonly Group[], version: string): string {
  const tails = new Set(
    groups.map(({ since }) => (since.version === version ? "" : tail(since, version))),
  );
  const [only] = tails;
  return tails.size === 1 && only !== undefined ? only : "";
}

function allSkipped(skipped: readonly Standing[]): string {
  const [reason, ...others] = skipReasons(skipped);
  return reason === undefined || others.length > 0
    ? "Skipped everywhere."
    : `Skipped everywhere: ${reason}.`;
}

function skipReasons(skipped: readonly Standing[]): readonly string[] {
  return [...new Set(skipped.map(({ cause }) => reasonOf(cause)))];
}

function skipNotes(skipped: readonly Standing[]): readonly string[] {
  return [...Map.groupBy(skipped, ({ cause }) => reasonOf(cause))].map(
    ([reason, members]) => `Skipped on ${names(members)}: ${reason}.`,
  );
}

function reasonOf(cause: string | null): string {
  return cause === null ? "there was nothing to say" : causeWords(cause).text;
}

function unconfirmedNote(bad: readonly Standing[]): readonly string[] {
  const unconfirmed = bad.filter(({ confidence }) => confidence === "unconfirmed");
  if (unconfirmed.length === 0) return [];
  return [
    unconfirmed.length === bad.length
      ? "No second run has confirmed that yet."
      : `No second run has confirmed that yet on ${names(unconfirmed)}.`,
  ];
}

/** `CPython 3.12, 3.13 and PyPy 3.11`; the first few of many. */
function names(standings: readonly Standing[]): string {
  const shown = standings.length > MOST_NAMES + 1 ? standings.slice(0, MOST_NAMES) : standings;
  let last: string | null = null;
  const texts = shown.map(({ configuration }) => {
    const { implementation, version } = configurationParts(configuration);
    const isSame = implementation !== null && implementation === last;
    last = implementation;
    return implementation === null || isSame ? version : `${implementation} ${version}`;
  });
  const left = standings.length - shown.length;
  return list(left > 0 ? [...texts, `${left} more`] : texts, ", ", " and ");
}

function list(texts: readonly string[], comma: string, and: string): string {
  const last = texts.at(-1) ?? "";
  return texts.length < 2 ? last : `${texts.slice(0, -1).join(comma)}${and}${last}`;
}

function all(count: number): string {
  return count === 2 ? "both" : `all ${count}`;
}

function capital(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

/** A version as it is, bounded; of a commit its beginning. */
export function versionWords(version: string): string {
  const isCommit = parseVersion(version) === null && /^[0-9a-f]{40,64}$/u.test(version);
  return isCommit ? version.slice(0, 12) : clip(printableLine(version), 60);
}
