import { clip, printableLine } from "../base/bounded-text.ts";
import type { Phase } from "../model/attempt.ts";
import type { OverlayUse } from "../model/overlay.ts";
import type { AttemptJson } from "../model/result-json.ts";
import { causeGroup, parseCause } from "../model/result-words.ts";
import { sameVersion } from "../python/versions.ts";
import type { Change, ReleaseSide } from "./change.ts";

/** One attempt of a side, with what the comparison needs besides its result. */
export interface SideRun {
  readonly attempt: AttemptJson;
  /** Of each test, its outcome; empty where no report was kept. */
  readonly results: ReadonlyMap<string, string>;
  /** What the index gave: `name version`, each once. */
  readonly given: readonly string[];
}

export const VERDICTS = [
  "newly-broken",
  "fixed",
  "changed-failure",
  "unchanged",
  "incomparable",
] as const;
/**
 * `newly-broken`: what passes with A fails with B, twice each. `fixed`: the other way round. `changed-failure`: fails with
 * both, otherwise. `unchanged`: passes with both, or fails in the same way. `incomparable`: nothing can be said, and why.
 */
export type CompareVerdict = (typeof VERDICTS)[number];

export interface Compared {
  readonly verdict: CompareVerdict;
  /** Whether what changes was used at all; null where nothing tells. */
  readonly exercised: boolean | null;
  /** `confirmed(2/2)` where each side was run twice and agreed with itself, `flaky` where one did not, else `unconfirmed`. */
  readonly confidence: string;
  /** A line each, the most telling one first; bounded and printable. */
  readonly why: readonly string[];
  readonly tests: {
    /** Passed with A, fail with B. */
    readonly broken: readonly string[];
    readonly fixed: readonly string[];
  };
  /** What else the index gave otherwise: `attrs 25.3.0 → 25.4.0`. */
  readonly moved: readonly string[];
  /** The farm gave no verdict. */
  readonly farmFault: boolean;
}

type Standing = "good" | "bad" | "flaky" | "none" | "farm";

/** How often each side is run where they differ. */
export const ROUNDS = 2;

/**
 * What a project's runs say of the change. Pure. The runs of each side are in the order of the rounds: the first of A with
 * the first of B.
 */
export function compareSides(
  change: Change,
  a: readonly SideRun[],
  b: readonly SideRun[],
): Compared {
  const [lastA, lastB] = [a.at(-1), b.at(-1)];
  if (lastA === undefined || lastB === undefined)
    return nothingSaid(["was not run to its end"], change, a, b);
  const impossible = sidesOf(a, b).flatMap(([name, runs]) => {
    const line = runs.map(unsatisfiedOf).find((told) => told !== null);
    return line === undefined ? [] : [`${line}: can't be had with ${name}`];
  });
  if (impossible.length > 0) return nothingSaid(impossible, change, a, b);
  const [usableA, usableB] = [a, b].map((runs) => runs.filter((run) => standingOf(run) !== "farm"));
  for (const [name, runs, all] of [
    ["A", usableA ?? [], a],
    ["B", usableB ?? [], b],
  ] as const)
    if (runs.length === 0)
      return {
        ...nothingSaid(
          [
            `the farm gave no verdict with ${name}: ${all.at(-1)?.attempt.cause ?? "no cause is known"}`,
          ],
          change,
          a,
          b,
        ),
        farmFault: true,
      };
  return judged(change, usableA ?? [], usableB ?? []);
}

/** Whether both sides are to be run once more before this counts. */
export function wantsAnotherRound(
  change: Change,
  a: readonly SideRun[],
  b: readonly SideRun[],
): boolean {
  if (a.length >= ROUNDS || a.length === 0 || b.length === 0) return false;
  const { verdict, confidence, farmFault } = compareSides(change, a, b);
  switch (verdict) {
    case "newly-broken":
    case "fixed":
    case "changed-failure":
      return true;
    case "unchanged":
      return false;
    case "incomparable":
      return farmFault || confidence === "flaky";
  }
}

function judged(change: Change, a: readonly SideRun[], b: readonly SideRun[]): Compared {
  const common = commonOf(change, a, b);
  const incomparable = (why: string, more: Partial<Compared> = {}): Compared => ({
    ...common,
    verdict: "incomparable",
    why: lines(why),
    ...more,
  });
  for (const [name, runs] of sidesOf(a, b)) {
    const standings = runs.map(standingOf);
    const failures = standings.filter((standing) => standing !== "good").length;
    if (standings.includes("flaky") || new Set(standings).size > 1)
      return incomparable(
        `flaky with ${name}: ${failures} of ${count(runs.length, "run")} did not pass`,
        { confidence: "flaky" },
      );
  }
  const [one, other] = [a.at(-1), b.at(-1)];
  if (one === undefined || other === undefined) return incomparable("was not run to its end");
  const [before, after] = [standingOf(one), standingOf(other)];
  if (before === "none" || after === "none") {
    if (before === after && one.attempt.cause === other.attempt.cause)
      return {
        ...common,
        verdict: "unchanged",
        why: lines(`says nothing with either: ${tell(one)}`),
      };
    return incomparable(`A: ${tell(one)}; B: ${tell(other)}`);
  }
  if (before === "good" && after === "good") {
    const idle = common.exercised === false;
    return {
      ...common,
      verdict: "unchanged",
      why: lines(idle ? notExercised(change) : "passes with both", ...notes(change, one, other)),
    };
  }
  const found = differenceOf(a, b, one, other, before, after);
  if (found.verdict !== "unchanged" && common.exercised === false)
    return incomparable(`differs, though ${notExercised(change)}`, { tests: found.tests });
  return {
    ...common,
    ...found,
    why: lines(
      ...found.why,
      ...(found.verdict === "unchanged" && common.exercised === false
        ? [notExercised(change)]
        : []),
      ...notes(change, one, other),
    ),
  };
}

/** Of sides of which at least one fails. */
function differenceOf(
  a: readonly SideRun[],
  b: readonly SideRun[],
  one: SideRun,
  other: SideRun,
  before: Standing,
  after: Standing,
): Pick<Compared, "verdict" | "why" | "tests"> {
  const broken = inEveryRound(a, b, (first, second) => turned(first, second));
  const fixed = inEveryRound(a, b, (first, second) => turned(second, first));
  const tests = { broken, fixed };
  if (before === "good")
    return {
      verdict: "newly-broken",
      why: [tell(other), ...testLine(broken, "fail"), ...said(other)],
      tests,
    };
  if (after === "good")
    return {
      verdict: "fixed",
      why: [`with A: ${tell(one)}`, ...testLine(fixed, "pass"), ...said(one)],
      tests,
    };
  if (broken.length > 0)
    return { verdict: "newly-broken", why: [...testLine(broken, "fail"), ...said(other)], tests };
  const [at, now] = [one.attempt.phase, other.attempt.phase];
  const differs = `with A: ${tell(one)}; with B: ${tell(other)}`;
  if (reach(other) < reach(one) && at === "test")
    return {
      verdict: "newly-broken",
      why: [`${tell(other)}; comes less far than with A: ${tell(one)}`, ...said(other)],
      tests,
    };
  if (at !== now || one.attempt.cause !== other.attempt.cause || fixed.length > 0)
    return {
      verdict: "changed-failure",
      why: [differs, ...testLine(fixed, "pass"), ...said(other)],
      tests,
    };
  return { verdict: "unchanged", why: [`fails with both: ${tell(other)}`], tests };
}

/** How far an attempt came: tests that were run say more than a build that failed, and one that passed more than none. */
function reach({ attempt: { phase, tests } }: SideRun): number {
  const order: readonly Phase[] = [
    "fetch",
    "resolve",
    "build",
    "install",
    "import",
    "discover",
    "test",
  ];
  return order.indexOf(phase) + ((tests?.passed ?? 0) > 0 ? 1 : 0);
}

/** Ids of which the same is true in each pair of runs. */
function inEveryRound(
  a: readonly SideRun[],
  b: readonly SideRun[],
  idsOf: (one: SideRun, other: SideRun) => readonly string[],
): string[] {
  const rounds = Array.from({ length: Math.min(a.length, b.length) }, (_, round) => {
    const [one, other] = [a[round], b[round]];
    return one === undefined || other === undefined ? [] : idsOf(one, other);
  });
  const [first = [], ...rest] = rounds;
  return first.filter((id) => rest.every((ids) => ids.includes(id)));
}

/** Passed there, and fails here. */
function turned(before: SideRun, after: SideRun): string[] {
  return [...after.results]
    .filter(
      ([id, outcome]) =>
        (outcome === "failed" || outcome === "error") && before.results.get(id) === "passed",
    )
    .map(([id]) => id);
}

/** `machine-difference` passes where the farm confirms; `flaky` fails at times, whatever is changed. */
function standingOf({ attempt }: SideRun): Standing {
  const cause = attempt.cause === null ? null : parseCause(attempt.cause);
  if (cause !== null && cause.kind === "machine-difference") return "good";
  if (cause !== null && causeGroup(cause.kind) === "farm") return "farm";
  switch (attempt.outcome) {
    case "pass":
      return "good";
    case "skip":
      return "none";
    case "fail":
    case "crash":
    case "killed":
    case "error":
      return attempt.confidence === "flaky" ? "flaky" : "bad";
  }
}

function unsatisfiedOf({ attempt }: SideRun): string | null {
  return attempt.evidence.overlay?.unsatisfied ?? null;
}

function commonOf(
  change: Change,
  a: readonly SideRun[],
  b: readonly SideRun[],
): Pick<Compared, "exercised" | "confidence" | "tests" | "moved" | "farmFault"> {
  const [one, other] = [a.at(-1), b.at(-1)];
  const runs = Math.min(a.length, b.length);
  return {
    exercised: isExercised(change, [...a, ...b]),
    confidence: runs >= ROUNDS ? `confirmed(${runs}/${runs})` : "unconfirmed",
    tests: { broken: [], fixed: [] },
    moved: one === undefined || other === undefined ? [] : movedBetween(change, one, other),
    farmFault: false,
  };
}

function nothingSaid(
  why: readonly string[],
  change: Change,
  a: readonly SideRun[],
  b: readonly SideRun[],
): Compared {
  return { ...commonOf(change, a, b), verdict: "incomparable", why: lines(...why) };
}

function isExercised(change: Change, runs: readonly SideRun[]): boolean | null {
  switch (change.kind) {
    case "release": {
      const uses = runs.flatMap((run) => useOf(change.project, run) ?? []);
      if (uses.length === 0) return null;
      // What an environment was made with is no use of what the index was told to give.
      return uses.some(({ served }) => served.length > 0);
    }
    case "date": {
      const locks = new Set(runs.map(({ attempt }) => attempt.axes.lock));
      return locks.size > 1;
    }
    case "image":
    case "interpreter":
    case "env":
      return null;
  }
}

function notExercised(change: Change): string {
  return change.kind === "release"
    ? `not exercised: neither its environment nor a build of it asked for ${change.project}`
    : "not exercised: the index gave the same with both";
}

function useOf(project: string, { attempt }: SideRun): OverlayUse | undefined {
  return attempt.evidence.overlay?.used.find((use) => use.project === project);
}

/** What was in the environment without having come from the index: an old virtualenv brings a setuptools of its own. */
function notes(change: Change, one: SideRun, other: SideRun): string[] {
  if (change.kind !== "release") return [];
  return (
    [
      ["A", change.a, one],
      ["B", change.b, other],
    ] as const
  ).flatMap(([name, side, run]) => {
    const use = useOf(change.project, run);
    const wanted = versionOf(side);
    if (use === undefined || use.installed === null || wanted === null) return [];
    return sameVersion(use.installed, wanted)
      ? []
      : [`with ${name} the environment itself has ${change.project} ${use.installed}`];
  });
}

function versionOf(side: ReleaseSide): string | null {
  return side.kind === "any" ? null : side.version;
}

function movedBetween(change: Change, one: SideRun, other: SideRun): string[] {
  const [before, after] = [versions(one.given), versions(other.given)];
  const names = [...new Set([...before.keys(), ...after.keys()])].toSorted();
  return names
    .filter((name) => change.kind !== "release" || name !== change.project)
    .flatMap((name) => {
      const [was, is] = [before.get(name), after.get(name)].map((all) => all?.join(", ") ?? "none");
      return was === is ? [] : [bounded(`${name} ${was} → ${is}`)];
    })
    .slice(0, MAX_MOVED);
}

function versions(given: readonly string[]): ReadonlyMap<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of given) {
    const [name = "", version = ""] = line.split(" ");
    found.set(name, [...(found.get(name) ?? []), version].toSorted());
  }
  return found;
}

/** `test-failure, fail in test`: the cause first, since a table has room for little more. */
function tell({ attempt }: SideRun): string {
  if (attempt.outcome === "pass") return "passes";
  const cause = attempt.cause ?? "no cause is known";
  return attempt.outcome === "skip" ? cause : `${cause}, ${attempt.outcome} in ${attempt.phase}`;
}

function testLine(ids: readonly string[], what: "fail" | "pass"): string[] {
  if (ids.length === 0) return [];
  const shown = ids.slice(0, MAX_IDS).join(", ");
  const rest = ids.length > MAX_IDS ? `, and ${ids.length - MAX_IDS} more` : "";
  const turn = what === "fail" ? "passed with A and now" : "failed with A and now";
  return [
    `${count(ids.length, "test")} ${turn} ${ids.length === 1 ? `${what}${what === "pass" ? "es" : "s"}` : what}: ${shown}${rest}`,
  ];
}

/** The first lines of its log that matter. */
function said({ attempt }: SideRun): string[] {
  return attempt.evidence.firstLines.slice(0, MAX_SAID);
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

const MAX_IDS = 3;
const MAX_SAID = 4;
const MAX_MOVED = 100;

function bounded(text: string): string {
  return clip(printableLine(text), 400);
}

function lines(...given: readonly string[]): string[] {
  return given.map(bounded);
}

function sidesOf(
  a: readonly SideRun[],
  b: readonly SideRun[],
): readonly (readonly ["A" | "B", readonly SideRun[]])[] {
  return [
    ["A", a],
    ["B", b],
  ];
}
