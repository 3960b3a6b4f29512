import { clip, printableLine } from "../../base/bounded-text.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import { countsOf, releaseOf } from "../../model/attempt-words.ts";
import { wordOf } from "./cells.ts";
import { paint } from "./tone.ts";

const MAX_IDS = 5;
const MAX_FIRST_LINES = 12;
const MAX_CONTRADICTIONS = 5;
const MAX_NOTES = 5;
/** Ids come bounded (480 characters); a person copies them whole. */
const MAX_CHARS = 480;
/** What the recorder's report says of a test that was running when all ended. */
const WAS_RUNNING = / began and never ended$/u;

/**
 * What the matrix has no room for: a line for each attempt, and below it what a person needs next of one
 * that neither passed nor was skipped. Whole lines, nothing of which a package can break out of.
 */
export function renderDetails(attempts: readonly AttemptJson[], colour: boolean): string {
  return attempts
    .flatMap((attempt) => {
      const below = [
        ...(isQuiet(attempt) ? [] : whyLines(attempt)),
        ...gapLines(attempt),
        ...givenLines(attempt),
        ...overrideLines(attempt),
        ...noteLines(attempt),
        ...reachLines(attempt),
      ];
      const where = whereLines(attempt);
      // Made safe last and in one place, whatever a line was put together from.
      const safe = [...below, ...where].map((line) => `  ${printableLine(line)}`);
      return [headLine(attempt, colour), ...safe];
    })
    .map((line) => `${line}\n`)
    .join("");
}

/** Its first line says all of it. */
function isQuiet(attempt: AttemptJson): boolean {
  return attempt.outcome === "pass" || attempt.outcome === "skip";
}

/** `lmdb 3.0.0 cpython-3.13 gvisor: pass, 506 collected: 487 passed, 19 skipped; wheel; rung B0+C3; 27.3 s (...)` */
function headLine(attempt: AttemptJson, colour: boolean): string {
  const { word, tone } = wordOf(attempt);
  const name = `${releaseOf(attempt)} ${attempt.configuration} ${attempt.machine}`;
  const parts = [
    [word, ...reasonParts(attempt), ...testParts(attempt)].join(", "),
    attempt.installed ?? "nothing installed",
    ...(attempt.plan.rung === null ? [] : [`rung ${attempt.plan.rung}`]),
    secondsText(attempt.seconds),
  ];
  const rest = parts.join("; ").slice(word.length);
  return `${printableLine(name)}: ${paint(word, tone, colour)}${printableLine(rest)}`;
}

/** Of a skip its reason; of anything what the smoke said, where tests do not say more. */
function reasonParts(attempt: AttemptJson): string[] {
  const skipped = attempt.outcome === "skip";
  const smoke = attempt.smoke === null ? [] : [`smoke ${attempt.smoke}`];
  const silent = attempt.evidence.smoke.map(({ what, name }) => `${what} ${name}`);
  const without = silent.length === 0 ? "" : ` (${listed(silent, "; ")})`;
  return [
    ...(skipped ? [attempt.cause ?? "no cause is known"] : []),
    ...(attempt.smoke === "fail" ? [`smoke fail${without}`] : skipped ? smoke : []),
  ];
}

function testParts(attempt: AttemptJson): string[] {
  const { tests } = attempt;
  if (tests === null) return attempt.outcome === "skip" ? [] : ["no test ran"];
  const { collected, passed, failed, errors, skipped, deselected } = tests;
  const expected = collected - passed - failed - errors - skipped;
  const counts = [
    countsOf(tests),
    expected > 0 ? `${expected} xfailed or xpassed` : "",
    deselected > 0 ? `${deselected} deselected` : "",
  ].filter((text) => text !== "");
  return [`${collected} collected${counts.length === 0 ? "" : `: ${counts.join(", ")}`}`];
}

/** `27.3 s (start 0.2, venv 0.3)`, the farm's share last; what rounds to nothing is left out. */
function secondsText(seconds: Readonly<Record<string, number>>): string {
  const { total, farm, ...phases } = seconds;
  const named = [
    ...Object.entries(phases),
    ...(farm === undefined ? [] : [["farm", farm] as const]),
  ]
    .filter(([, spent]) => spent >= 0.05)
    .map(([name, spent]) => `${name} ${spent.toFixed(1)}`);
  const inPhases = named.length === 0 ? "" : ` (${named.join(", ")})`;
  return `${total === undefined ? "no time taken" : `${total.toFixed(1)} s`}${inPhases}`;
}

/** Why: cause, failing tests, the log's lines that matter, contradictions. */
function whyLines(attempt: AttemptJson): string[] {
  const { evidence, tests } = attempt;
  const failing = evidence.failing.map(({ id }) => id);
  // Evidence holds the first ones alone; the counts know of all.
  const failed = Math.max(failing.length, (tests?.failed ?? 0) + (tests?.errors ?? 0));
  return [
    `cause: ${attempt.cause ?? "none is known"}, ${attempt.confidence}, decided in ${attempt.phase}`,
    ...idLines("failing", failing, failed),
    ...idLines("passed where it was confirmed", evidence.differing, evidence.differing.length),
    ...(evidence.firstLines.length === 0 ? [] : ["first lines:"]),
    ...evidence.firstLines.slice(0, MAX_FIRST_LINES).map((line) => `  ${bounded(line)}`),
    ...evidence.contradictions
      .filter((reason) => WAS_RUNNING.test(reason))
      .slice(0, MAX_IDS)
      .map((reason) => `was running: ${bounded(reason.replace(WAS_RUNNING, ""))}`),
    ...evidence.contradictions
      .filter((reason) => !WAS_RUNNING.test(reason))
      .slice(0, MAX_CONTRADICTIONS)
      .map((reason) => `contradiction: ${bounded(reason)}`),
  ];
}

function idLines(title: string, ids: readonly string[], all: number): string[] {
  if (ids.length === 0) return [];
  const shown = ids.slice(0, MAX_IDS);
  const rest = all - shown.length;
  return [
    `${title}:`,
    ...shown.map((id) => `  ${bounded(id)}`),
    ...(rest > 0 ? [`  and ${rest} more`] : []),
  ];
}

/** Of an interpreter that is not Debian's, and of a gap that is to blame: who built it, and what it lacks. */
function gapLines({ axes, evidence, cause }: AttemptJson): string[] {
  const { gaps } = evidence;
  const blamed = gaps.some((gap) => cause === `missing-system-library(${gap})`);
  if (axes.builder === "debian" && !blamed) return [];
  const lacking = gaps.length === 0 ? "" : `, lacks ${gaps.join(", ")}`;
  return [`interpreter: ${axes.interpreter}, built by ${axes.builder}${lacking}`];
}

/** What an experiment gave it otherwise than every other attempt. */
function givenLines({ evidence: { overlay } }: AttemptJson): string[] {
  if (overlay === undefined) return [];
  const { releases, before, env } = overlay;
  const given = [
    ...releases.map(({ project, version, file }) =>
      file === null ? `${project}==${version}` : `${project} by ${file.filename}`,
    ),
    ...(before === null ? [] : [`the index of before ${before}`]),
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
  ];
  return given.length === 0 ? [] : [`experiment: given ${listed(given, ", ")} alone`];
}

/** What it tried to reach: worth a line on a pass too. */
function reachLines({ evidence }: AttemptJson): string[] {
  const refused = evidence.refused.map(
    ({ target, kind, count }) => `${target} (${kind}, ${count === 1 ? "once" : `${count} times`})`,
  );
  return [
    ...(refused.length === 0 ? [] : [`refused connections: ${listed(refused, ", ")}`]),
    ...(evidence.attempts.length === 0
      ? []
      : [`attempted writes: ${listed(evidence.attempts, ", ")}`]),
  ];
}

/** A command that somebody wrote for these tests and that did not count: whatever ran instead, its author wants to know. */
function overrideLines({ plan }: AttemptJson): string[] {
  return plan.rejected
    .filter(({ rung }) => rung === "override")
    .slice(0, MAX_CONTRADICTIONS)
    .map(({ why }) => `note: override: ${bounded(why)}`);
}

/** What was done to make it build or run, and what was left out: a pass is of the rest. */
function noteLines({ evidence }: AttemptJson): string[] {
  return evidence.repairs.slice(0, MAX_NOTES).map((note) => `note: ${bounded(note)}`);
}

/** Where all of it is, as commands: what is kept is packed, and may lie on another host. */
function whereLines(attempt: AttemptJson): string[] {
  const log = attempt.log === null ? null : `log: ./creamery log ${attempt.id}`;
  const again = `again: ./creamery reproduce ${attempt.id}`;
  if (isQuiet(attempt)) return [log === null ? again : `${log}; ${again}`];
  const report =
    attempt.report === null ? [] : [`report: ./creamery log ${attempt.id} report.json`];
  return [...(log === null ? [] : [`full ${log}`]), ...report, again];
}

/** The first few in one line. */
function listed(items: readonly string[], separator: string): string {
  const shown = items.slice(0, MAX_IDS).map(bounded);
  const rest = items.length - shown.length;
  return [...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join(separator);
}

function bounded(text: string): string {
  return clip(text, MAX_CHARS);
}
