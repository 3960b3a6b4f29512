import { clip, printable, printableLine } from "../../base/bounded-text.ts";
import type { TestOutcome, TestResult } from "../../model/attempt.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import { parseCause } from "../../model/result-words.ts";
import { detailOf, releaseOf } from "../../model/attempt-words.ts";
import type { MissingCell } from "../../model/missing-cell.ts";
import { standingOf } from "../../model/standing.ts";

export interface JunitAttempt {
  readonly attempt: AttemptJson;
  readonly results: readonly TestResult[];
}

const MAX_MESSAGE_CHARS = 300;
/** Of all attempts together: a reader takes the whole into memory, and so do we. */
const MAX_REPORT_CHARS = 128 * 1024 * 1024;

/** What a reader counts; a case that passed has no element of its own. */
type CaseKind = "passed" | "failure" | "error" | "skipped";

interface Case {
  readonly classname: string;
  readonly name: string;
  readonly seconds: number;
  readonly kind: CaseKind;
  readonly message: string;
  /** The line that says it, where that is not the first one. */
  readonly short?: string;
}

/**
 * JUnit XML as its readers take it (the Ant task's form, which pytest writes too): a testsuite for each
 * attempt, a testcase for each result. Wherever the exit code is not 0 some case is a failure or an error,
 * so a reader is never green on what failed. Valid XML 1.0 whatever ids and messages hold.
 * @param fault what ended the run before all attempts did; null where nothing did.
 */
export function renderJunit(
  attempts: readonly JunitAttempt[],
  fault: string | null = null,
  missing: readonly MissingCell[] = [],
  maxChars = MAX_REPORT_CHARS,
): string {
  const room = maxChars / Math.max(1, attempts.length);
  const suites = attempts.map((one) => ({ ...one, cases: bounded(casesOf(one), room) }));
  const ended = fault === null ? [] : [faultCase(fault)];
  const left = missing.map(missingCase);
  const all = [...suites.flatMap(({ cases }) => cases), ...left, ...ended];
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${attributes({ name: "creamery", ...countsOf(all) })}>`,
    ...suites.flatMap(({ attempt, cases }) => suiteLines(attempt, cases)),
    ...left.flatMap((one) => [
      `<testsuite ${attributes({ name: one.classname, ...countsOf([one]), time: seconds(0) })}>`,
      caseLine(one),
      "</testsuite>",
    ]),
    ...(ended.length === 0
      ? []
      : [
          `<testsuite ${attributes({ name: "creamery", ...countsOf(ended), time: seconds(0) })}>`,
          ...ended.map(caseLine),
          "</testsuite>",
        ]),
    "</testsuites>",
    "",
  ].join("\n");
}

/** What fails is kept before what does not; what there is no room for is said. */
function bounded(cases: readonly Case[], maxChars: number): readonly Case[] {
  const bad = ({ kind }: Case) => kind === "failure" || kind === "error";
  const kept = new Set<Case>();
  let chars = 0;
  for (const one of [...cases.filter(bad), ...cases.filter((other) => !bad(other))]) {
    chars += caseLine(one).length + 1;
    if (chars > maxChars && kept.size > 0) break;
    kept.add(one);
  }
  const left = cases.length - kept.size;
  if (left === 0) return cases;
  const message = `${left} more are in the attempt's report`;
  const note = {
    classname: "creamery",
    name: "creamery",
    seconds: 0,
    kind: "skipped",
    message,
  } as const;
  return [...cases.filter((one) => kept.has(one)), note];
}

function suiteLines(attempt: AttemptJson, cases: readonly Case[]): string[] {
  const properties = {
    id: attempt.id,
    image: attempt.image,
    machine: attempt.machine,
    rung: attempt.plan.rung ?? "",
    outcome: attempt.outcome,
    cause: attempt.cause ?? "",
    confidence: attempt.confidence,
  };
  const name = `${releaseOf(attempt)} / ${attempt.configuration}`;
  const time = seconds(attempt.seconds["total"] ?? 0);
  return [
    `<testsuite ${attributes({ name, ...countsOf(cases), time })}>`,
    "<properties>",
    ...Object.entries(properties).map(
      ([property, value]) => `<property ${attributes({ name: property, value })}/>`,
    ),
    "</properties>",
    ...cases.map(caseLine),
    "</testsuite>",
  ];
}

function casesOf({ attempt, results }: JunitAttempt): Case[] {
  // What passed where it was confirmed is not the package's failure (nor the exit code's): it is shown as skipped.
  const excused =
    attempt.cause !== null && parseCause(attempt.cause)?.kind === "machine-difference";
  const cases = results.map((result): Case => {
    const { classname, name } = splitId(result.id);
    const kind = kindOf(result.outcome);
    const isExcused = excused && (kind === "failure" || kind === "error");
    return {
      classname,
      name,
      seconds: result.seconds,
      kind: isExcused ? "skipped" : kind,
      message: `${isExcused ? "machine-difference: " : ""}${result.message ?? result.outcome}`,
      ...(kind === "failure" || kind === "error"
        ? {
            short: `${isExcused ? "machine-difference: " : ""}${assertionLine(result.message ?? result.outcome)}`,
          }
        : {}),
    };
  });
  const shown = cases.some(({ kind }) => kind === "failure" || kind === "error");
  return standingOf(attempt) === "sound" || shown ? cases : [...cases, verdictCase(attempt)];
}

/** Stands for a verdict that no test's result carries: a build that failed, a limit, a fault of the farm. */
function verdictCase(attempt: AttemptJson): Case {
  return {
    classname: `${releaseOf(attempt)} / ${attempt.configuration}`,
    name: "creamery",
    seconds: 0,
    kind: "error",
    message: [
      `${attempt.outcome} in ${attempt.phase}: ${detailOf(attempt)} (${attempt.confidence})`,
      ...attempt.evidence.firstLines,
    ].join("\n"),
  };
}

/** An image without the interpreter: an error for whoever asked for it, else nothing to say. */
function missingCase(cell: MissingCell): Case {
  return {
    classname: `${releaseOf(cell)} / ${cell.configuration}`,
    name: "creamery",
    seconds: 0,
    kind: cell.asked ? "error" : "skipped",
    message: `not in image ${cell.image}: ${cell.reason}; ${cell.nextStep}`,
  };
}

/** For what never came as far as a verdict. */
function faultCase(fault: string): Case {
  return { classname: "creamery", name: "creamery", seconds: 0, kind: "error", message: fault };
}

/**
 * The line of a failure that says what failed: of pytest's text the first that is marked `E` where the last ones are that are
 * (the exception's own, with what explains it below), of a traceback the last that names an exception. Else the first line.
 */
export function assertionLine(message: string): string {
  const lines = message.trim().split("\n");
  const last = lines.findLastIndex((line) => /^E(?:\s|$)/u.test(line));
  if (last >= 0) {
    const before = lines.slice(0, last).findLastIndex((line) => !/^E(?:\s|$)/u.test(line));
    const marked = lines.slice(before + 1, last + 1).map((line) => line.slice(1).trim());
    const said = marked.find((line) => line !== "");
    if (said !== undefined) return said;
  }
  const named = lines.findLast((line) =>
    /^(?:\w+\.)*\w*(?:Error|Exception|Failure|Failed|Warning|Exit|Interrupt)(?::|$)/u.test(line),
  );
  return named ?? firstLine(message);
}

function kindOf(outcome: TestOutcome): CaseKind {
  switch (outcome) {
    case "passed":
    case "xpassed":
      return "passed";
    case "failed":
      return "failure";
    case "error":
      return "error";
    case "skipped":
    case "xfailed":
      return "skipped";
  }
}

/**
 * `tests/test_x.py::TestY` and `test_z[a::b]`: at the last `::`, else the last dot, that stands before the
 * parameters. An id with neither is both, because readers drop cases without a class.
 */
export function splitId(id: string): { classname: string; name: string } {
  const bracket = id.indexOf("[");
  const head = bracket < 0 ? id : id.slice(0, bracket);
  const colons = head.lastIndexOf("::");
  // The dot of `tests/test_x.py` is no separator.
  const dot = head.includes("/") ? -1 : head.lastIndexOf(".");
  const at = colons >= 0 ? colons : dot;
  const name = id.slice(at + (colons >= 0 ? 2 : 1));
  return at > 0 && name !== "" ? { classname: id.slice(0, at), name } : { classname: id, name: id };
}

function countsOf(cases: readonly Case[]): Record<string, string> {
  const count = (kind: CaseKind) => String(cases.filter((one) => one.kind === kind).length);
  return {
    tests: String(cases.length),
    failures: count("failure"),
    errors: count("error"),
    skipped: count("skipped"),
  };
}

function caseLine(one: Case): string {
  const { classname, name, seconds: spent, kind, message } = one;
  const open = `<testcase ${attributes({ classname, name, time: seconds(spent) })}`;
  if (kind === "passed") return `${open}/>`;
  const short = attributes({
    message: clip(printableLine(one.short ?? firstLine(message)), MAX_MESSAGE_CHARS),
  });
  return `${open}><${kind} ${short}>${xmlText(printable(message))}</${kind}></testcase>`;
}

function firstLine(text: string): string {
  return text.trimStart().split("\n", 1)[0] ?? "";
}

function seconds(value: number): string {
  return value.toFixed(3);
}

function attributes(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}="${xmlText(printableLine(value))}"`)
    .join(" ");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

/** Of printable text: what is left that XML 1.0 (section 2.2) forbids is made visible, what it reads is escaped. */
function xmlText(text: string): string {
  return text
    .replaceAll(
      /[\p{Surrogate}\ufffe\uffff]/gu,
      (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16)}`,
    )
    .replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? "");
}
