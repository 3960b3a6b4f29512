import { clip, printable } from "../base/bounded-text.ts";
import type { Cause, CauseKind } from "./attempt.ts";
import { boundedText } from "./bounded-log.ts";

const MAX_LINES = 8;
const MAX_LINE_CHARS = 200;

/** Where the telling line of a cause stands in a log. */
const TELLING: Partial<Record<CauseKind, RegExp>> = {
  "missing-system-library":
    /fatal error: |cannot find -l|not found|NOT found|could not find|No module named|\(missing\)|is not available|Please install the python3-/,
  compiler: /\berror: |error\[E|internal compiler error|CMake Error/,
  "build-backend": /^\w*(?:Error|Exception|Exit)\b|Error: |error: /,
  "dependency-build": /Failed to (?:download and )?build|Failed building wheel/,
  unresolvable: /No solution found|Because |conflict|ResolutionImpossible|ERROR: /,
  "no-distribution": /Because |No matching distribution|Could not find a version/,
  yanked: /yanked/,
  syntax: /(?:SyntaxError|IndentationError|TabError): /,
  "import-error": /ImportError|ModuleNotFoundError|Error: /,
  "missing-dependency-declaration": /No module named/,
  "dependency-import": /Error: /,
  "removed-api": /No module named|cannot import name|has no attribute/,
  "collection-error": /Error\b/,
  "test-failure": /^(?:FAILED|FAIL:|ERROR:|E {2,})|^\w*Error: /,
  "machine-difference": /^(?:FAILED|FAIL:|ERROR:|E {2,})|^\w*Error: /,
  "test-error": /^(?:ERROR|INTERNALERROR|E {2,})|Error: |error: /,
  segfault: /Fatal Python error|Segmentation fault/,
  abort: /Fatal Python error|terminate called|Aborted|abort/,
  assertion: /Assertion/,
  deadlock: /(?:Current thread|Thread) 0x/,
  timeout: /(?:Current thread|Thread) 0x/,
  silent: /(?:Current thread|Thread) 0x/,
  oom: /MemoryError|Cannot allocate memory|[Kk]illed/,
  disk: /No space left|ENOSPC/,
  pids: /Resource temporarily unavailable|can't start new thread|fork/,
  "needs-network": /resolution|Name or service|unreachable|gaierror|resolve/i,
  "needs-service": /refused|Can't connect|connecting to|docker/i,
  "needs-display": /display/i,
  "needs-gpu": /cuda|nvidia|gpu/i,
};

/** A test that failed, or a module of tests that was not collected, and what it said. */
export interface FailedTest {
  readonly id: string;
  readonly message: string;
}

/**
 * The few lines that a person reads first: of a log from the line that gives the cause away, else the last lines; of tests
 * their ids and what their exceptions say. Bounded, with control characters made visible.
 */
export function firstLinesThatMatter(
  told: string | readonly FailedTest[],
  cause: Cause | null,
): string[] {
  const pattern = cause === null ? undefined : TELLING[cause.kind];
  return typeof told === "string"
    ? linesOfLog(linesOf(told), cause, pattern)
    : linesOfTests(told, pattern);
}

function linesOf(text: string): readonly string[] {
  return boundedText(text)
    .split("\n")
    .map((line) => line.replaceAll("\r", "").trimEnd());
}

function linesOfLog(
  lines: readonly string[],
  cause: Cause | null,
  pattern: RegExp | undefined,
): string[] {
  const named =
    cause?.detail === undefined
      ? -1
      : lines.findIndex(
          (line) => line.includes(cause.detail ?? "") && (pattern?.test(line) ?? true),
        );
  const telling =
    named >= 0 || pattern === undefined ? named : lines.findIndex((line) => pattern.test(line));
  const from = telling >= 0 ? lines.slice(telling) : lines.filter(isShown).slice(-MAX_LINES);
  return from.filter(isShown).slice(0, MAX_LINES).map(shown);
}

const MAX_TESTS = 3;
/** Of up to three tests the id and what its exception says; the lines that are left over go to the first ones. */
function linesOfTests(tests: readonly FailedTest[], pattern: RegExp | undefined): string[] {
  const speaking = tests.filter(({ message }) => message.trim() !== "");
  const few = (speaking.length > 0 ? speaking : tests).slice(0, MAX_TESTS);
  const told = few.map(({ message }) => exceptionLines(linesOf(message).filter(isShown), pattern));
  const each = few.map(() => 0);
  let left = MAX_LINES - few.length;
  for (let round = 0; left > 0 && round < MAX_LINES; round++) {
    for (const [index, exception] of told.entries()) {
      if (left === 0 || round >= exception.length) continue;
      each[index] = round + 1;
      left--;
    }
  }
  return few.flatMap(({ id }, index) =>
    [id, ...(told[index] ?? []).slice(0, each[index] ?? 0)].map(shown),
  );
}

/** pytest's `E` lines of the last exception that tells the cause, else of the last; else what stands below Python's last frame. */
function exceptionLines(
  message: readonly string[],
  pattern: RegExp | undefined,
): readonly string[] {
  const runs: string[][] = [];
  for (const [index, line] of message.entries()) {
    if (!SAID.test(line)) continue;
    if (SAID.test(message[index - 1] ?? "")) runs.at(-1)?.push(line);
    else runs.push([line]);
  }
  const telling = (line: string) => pattern?.test(line) ?? false;
  const run = runs.findLast((one) => one.some(telling)) ?? runs.at(-1);
  if (run !== undefined) return run.slice(Math.max(0, run.findIndex(telling)));
  const frame = message.findLastIndex((line) => /^[ \t]{0,8}File "/.test(line));
  const raised = message.findIndex((line, index) => index > frame && /^\S/.test(line));
  return raised < 0 ? message.slice(-2) : message.slice(raised);
}

const SAID = /^E(?:\s|$)/;

function isShown(line: string): boolean {
  return line.trim() !== "" && !/^(?:==|--) \w[\w ()-]{0,200}: /.test(line);
}

function shown(line: string): string {
  return clip(printable(line), MAX_LINE_CHARS);
}
