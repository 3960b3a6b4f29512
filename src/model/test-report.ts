import { z } from "zod";
import { clip, printable, printableLine } from "../base/bounded-text.ts";
import type { TestCounts, TestOutcome, TestReport, TestResult } from "./attempt.ts";

/**
 * From the events that our reporters send out of the guest (docs/channel.md) to a report. The stream is hostile: the
 * package's code runs in the reporter's process and may forge, cut or repeat anything. What can be held against
 * something else (the exit code, what was collected, what began, the runner's own total) is, and each
 * disagreement is a contradiction; a report with one never makes a pass.
 */

const MAX_RESULTS = 500_000;
const MAX_ID_CHARS = 480;
const MAX_MESSAGE_CHARS = 4000;
/** Of all messages together: a report must fit into one text. */
const MAX_MESSAGES_CHARS = 32 * 1024 * 1024;
const MAX_CONTRADICTIONS = 20;
const MAX_COLLECTION_ERRORS = 500;
const MAX_UNFINISHED = 200;
const MAX_IMPORTED = 50;

const OUTCOMES = [
  "passed",
  "failed",
  "error",
  "skipped",
  "xfailed",
  "xpassed",
] as const satisfies readonly TestOutcome[];

const pid = z.number().int();
const id = z.string();
const count = z.number().int().nonnegative().max(10_000_000);
const message = z.string().default("");

const eventSchema = z.discriminatedUnion("e", [
  z.object({ e: z.literal("start"), pid, runner: z.string(), version: z.string() }),
  z.object({ e: z.literal("collected"), pid, count }),
  z.object({ e: z.literal("deselected"), pid, count }),
  z.object({ e: z.literal("begin"), pid, id }),
  z.object({
    e: z.literal("result"),
    pid,
    id,
    o: z.enum(OUTCOMES),
    s: z.number().nonnegative().max(1e7),
    m: message,
  }),
  z.object({ e: z.literal("collect-error"), pid, id, m: message }),
  z.object({ e: z.literal("collect-skip"), pid, id, m: message }),
  z.object({ e: z.literal("internal-error"), pid, m: message }),
  z.object({
    e: z.literal("finish"),
    pid,
    exit: z.number().int().optional(),
    results: count,
    stopped: z.string(),
  }),
  z.object({ e: z.literal("imported"), pid, id, path: z.string() }),
  // Evidence of the audit hook: not the report's.
  z.object({ e: z.literal("attempt") }),
]);
type ReportEvent = z.infer<typeof eventSchema>;

/** What one recording process said. Usually there is one; a runner with forked workers has one for each. */
interface Recording {
  readonly runner: string;
  collected: number;
  results: number;
  /** Tests that began and have no result yet, by id. */
  readonly open: Map<string, number>;
  /** Errors and skips of whole classes and modules, in whose place their tests have no result. */
  fixtures: number;
  finish: Extract<ReportEvent, { e: "finish" }> | null;
}

/**
 * @param lines of the event pipe, in the order in which they came.
 * @param exitCode of the runner, null when a signal or a limit ended it.
 */
export function reportFromEvents(lines: Iterable<string>, exitCode: number | null): TestReport {
  const reader = new EventReader();
  for (const line of lines) reader.read(line);
  return reader.report(exitCode);
}

/** Reads the events as they come, so that none is kept longer than it is needed. */
export class EventReader {
  readonly #recordings = new Map<number, Recording>();
  readonly #results: TestResult[] = [];
  readonly #seenIds = new Map<string, number>();
  readonly #collectionErrors: { id: string; message: string }[] = [];
  readonly #contradictions = new Set<string>();
  readonly #unfinished = new Set<string>();
  readonly #imported = new Map<string, Set<string>>();
  #deselected = 0;
  #unreadable = 0;
  #messageChars = 0;
  #incomplete = false;

  read(line: string): void {
    const event = parseEvent(line);
    if (event === null) {
      this.#unreadable++;
      return;
    }
    if (event.e === "attempt") return;
    if (event.e === "imported") {
      this.#import(event.id, event.path);
      return;
    }
    if (event.e === "start") {
      if (this.#recordings.has(event.pid))
        this.#contradict("a recording was begun twice by one process");
      else this.#recordings.set(event.pid, newRecording(event.runner));
      return;
    }
    const recording = this.#recordings.get(event.pid);
    if (recording === undefined) {
      this.#contradict(`a ${event.e} event came from a process that had begun no recording`);
      return;
    }
    if (recording.finish !== null) {
      this.#contradict(
        event.e === "finish"
          ? "the runner finished twice"
          : `a ${event.e} event came after the runner had finished`,
      );
      return;
    }
    this.#apply(event, recording);
  }

  /** Any process may say it: workers import what the runner itself doesn't. */
  #import(name: string, path: string): void {
    const seen = this.#imported.get(name) ?? new Set();
    if (this.#imported.size < MAX_IMPORTED && seen.size < MAX_IMPORTED) {
      seen.add(shownId(path));
      this.#imported.set(shownId(name), seen);
    }
  }

  #apply(
    event: Exclude<ReportEvent, { e: "start" | "attempt" | "imported" }>,
    recording: Recording,
  ): void {
    switch (event.e) {
      case "collected":
        recording.collected += event.count;
        return;
      case "deselected":
        this.#deselected += event.count;
        return;
      case "begin":
        recording.open.set(event.id, (recording.open.get(event.id) ?? 0) + 1);
        return;
      case "result":
        this.#result(event, recording);
        return;
      case "collect-skip":
        // A module that skips itself counts as one skipped test, as in pytest's own summary.
        this.#keep({ id: event.id, outcome: "skipped", seconds: 0 }, event.m);
        recording.fixtures++;
        return;
      case "collect-error":
        recording.fixtures++;
        if (this.#collectionErrors.length < MAX_COLLECTION_ERRORS) {
          this.#collectionErrors.push({ id: shownId(event.id), message: shownMessage(event.m) });
        }
        return;
      case "internal-error":
        this.#incomplete = true;
        this.#contradict(
          `the runner broke: ${clip(printableLine(event.m.trim().split("\n").at(-1) ?? ""), 200)}`,
        );
        return;
      case "finish":
        recording.finish = event;
        return;
    }
  }

  #result(event: Extract<ReportEvent, { e: "result" }>, recording: Recording): void {
    const begun = recording.open.get(event.id) ?? 0;
    if (begun === 1) recording.open.delete(event.id);
    else if (begun > 1) recording.open.set(event.id, begun - 1);
    // setUpClass and setUpModule fail or skip with no test begun; nothing passes without beginning.
    else if (event.o === "error" || event.o === "skipped") recording.fixtures++;
    else this.#contradict(`${shownId(event.id)} ${event.o} without having begun`);
    recording.results++;
    this.#keep({ id: event.id, outcome: event.o, seconds: event.s }, event.m);
  }

  #keep(result: TestResult, text: string): void {
    if (this.#results.length >= MAX_RESULTS) {
      this.#contradict(`more than ${MAX_RESULTS} results`);
      return;
    }
    const base = shownId(result.id);
    const times = (this.#seenIds.get(base) ?? 0) + 1;
    this.#seenIds.set(base, times);
    const unique = times === 1 ? base : `${base}#${times}`;
    const shown = { id: unique, outcome: result.outcome, seconds: result.seconds };
    const said = text === "" ? "" : shownMessage(text);
    this.#messageChars += said.length;
    const told = said !== "" && this.#messageChars <= MAX_MESSAGES_CHARS;
    this.#results.push(told ? { ...shown, message: said } : shown);
  }

  report(exitCode: number | null): TestReport {
    if (this.#recordings.size === 0) this.#contradict("no runner reported anything");
    if (this.#unreadable > 0) this.#contradict(`${this.#unreadable} lines are no events`);
    for (const recording of this.#recordings.values()) this.#close(recording);
    const counts = countOutcomes(this.#results, this.#deselected);
    const complete = this.#recordings.size > 0 && !this.#incomplete;
    this.#holdAgainstExit(exitCode, counts);
    return {
      counts,
      results: this.#results,
      origin: "recorded",
      complete,
      contradictions: [...this.#contradictions],
      unfinished: [...this.#unfinished],
      imported: Object.fromEntries(
        [...this.#imported].map(([name, paths]) => [name, [...paths].toSorted()]),
      ),
      collectionErrors: this.#collectionErrors,
    };
  }

  #close(recording: Recording): void {
    const { finish } = recording;
    if (finish === null) this.#lack("the runner never said that it had finished");
    else if (finish.results !== recording.results) {
      this.#lack(`the runner counted ${finish.results} results, ${recording.results} came`);
    }
    if (finish !== null && finish.stopped !== "")
      this.#lack(`the run was stopped: ${clip(printableLine(finish.stopped), 200)}`);
    for (const open of [...recording.open.keys()].slice(0, MAX_UNFINISHED))
      this.#unfinished.add(shownId(open));
    for (const open of [...recording.open.keys()].slice(0, 3))
      this.#lack(`${shownId(open)} began and never ended`);
    if (finish !== null && recording.results < recording.collected && recording.fixtures === 0) {
      this.#lack(`${recording.collected} tests were collected, ${recording.results} have results`);
    }
  }

  #holdAgainstExit(exitCode: number | null, counts: TestCounts): void {
    if (exitCode === null) {
      this.#contradict("the runner did not exit by itself");
      return;
    }
    const runners = new Set([...this.#recordings.values()].map((recording) => recording.runner));
    // unittest holds an unexpected success for a failure; pytest only where it is strict, and then says failed.
    const unexpected = runners.has("unittest")
      ? this.#results.filter((result) => result.outcome === "xpassed").length
      : 0;
    const bad = counts.failed + counts.errors + this.#collectionErrors.length + unexpected;
    if (exitCode === 0 && counts.failed + counts.errors + this.#collectionErrors.length > 0) {
      this.#contradict(
        `the runner exited with 0 although ${counts.failed + counts.errors + this.#collectionErrors.length} failed`,
      );
    }
    // 5 is "no tests ran", of pytest and of unittest.
    const nothing = exitCode === 5 && counts.passed + counts.failed === 0;
    if (exitCode !== 0 && bad === 0 && !nothing)
      this.#contradict(`the runner exited with ${exitCode} although nothing failed`);
    for (const { finish } of this.#recordings.values()) {
      if (finish?.exit !== undefined && finish.exit !== 0 && exitCode === 0) {
        this.#contradict(`the runner said it would exit with ${finish.exit}, and exited with 0`);
      }
    }
  }

  #lack(reason: string): void {
    this.#incomplete = true;
    this.#contradict(reason);
  }

  #contradict(reason: string): void {
    if (this.#contradictions.size < MAX_CONTRADICTIONS) this.#contradictions.add(reason);
  }
}

function newRecording(runner: string): Recording {
  return { runner, collected: 0, results: 0, open: new Map(), fixtures: 0, finish: null };
}

function parseEvent(line: string): ReportEvent | null {
  try {
    return eventSchema.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

function shownId(text: string): string {
  return clip(printableLine(text), MAX_ID_CHARS);
}

function shownMessage(text: string): string {
  return clip(printable(text), MAX_MESSAGE_CHARS);
}

/** `collected` is what ran or was skipped, xfail and xpass included. */
function countOutcomes(results: readonly TestResult[], deselected: number): TestCounts {
  const counts: Record<TestOutcome, number> = {
    passed: 0,
    failed: 0,
    error: 0,
    skipped: 0,
    xfailed: 0,
    xpassed: 0,
  };
  for (const result of results) counts[result.outcome]++;
  return {
    collected: results.length,
    passed: counts.passed,
    failed: counts.failed,
    errors: counts.error,
    skipped: counts.skipped,
    deselected,
  };
}
