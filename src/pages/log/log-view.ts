import type { LogSection } from "./index-log.ts";
import type { KeptLog, LogLine } from "./kept-log.ts";
import type { KeptLogs } from "./kept-logs.ts";

/** Of one page of a log. */
export const LINES_PER_PAGE = 2000;

/** Of the log within an attempt's page: the rest is read as it is looked at. */
const HEAD_LINES = 20;
const TAIL_LINES = 180;
const MOST_WHOLE_LINES = 200;
const MOST_CHARS = 48 * 1024;

/** A page does not wait longer for a log that nobody has looked at before, ms. */
const FIRST_LOOK_MS = 25;

export interface ShownSection extends LogSection {
  readonly isOpen: boolean;
  /** All of its lines, or its first and its last ones, or none. */
  readonly parts: readonly (readonly LogLine[])[];
  readonly isWhole: boolean;
}

/** What an attempt's page shows of its log. */
export interface LogView {
  readonly id: string;
  /** As the package wrote it. */
  readonly sizeBytes: number;
  readonly lines: number;
  /** Else it is still being read, and this is its beginning. */
  readonly isWhole: boolean;
  readonly sections: readonly ShownSection[];
}

/**
 * The log of an attempt that who looks gets to see.
 * @param waitMs for one that nobody has looked at before.
 * @returns null where none is kept (any more). @throws CreameryError `bucket`; the signal's reason.
 */
export async function readLog(
  logs: KeptLogs,
  id: string,
  signal: AbortSignal,
  waitMs = FIRST_LOOK_MS,
): Promise<LogView | null> {
  const log = await logs.look(id);
  if (log === null) return null;
  await log.whole(waitMs, signal);
  // What is met from here on is for the next look.
  const { lines, isWhole, sections } = log;
  const open = openSection(sections);
  const shown = new Map<LogSection, ShownSection>();
  let chars = MOST_CHARS;
  const inOrder = open === undefined ? sections : [open, ...sections.filter((one) => one !== open)];
  for (const section of inOrder) {
    const read = await partsOf(log, section, section === open, chars, signal);
    chars -= read.chars;
    shown.set(section, { ...section, ...read, isOpen: section === open });
  }
  return {
    id,
    sizeBytes: log.blob.sizeBytes,
    lines,
    isWhole,
    sections: sections.flatMap((section) => shown.get(section) ?? []),
  };
}

/** The last step that did not end well; else the tests; else the last one. */
function openSection(sections: readonly LogSection[]): LogSection | undefined {
  return (
    sections.findLast(({ end }) => end !== null && !endsWell(end)) ??
    sections.findLast(({ step }) => step === "test") ??
    sections.at(-1)
  );
}

/** Whether a step came to a good end, as its log says it. */
export function endsWell(end: string): boolean {
  return end === "exit 0" || end.startsWith("exit 0 ");
}

async function partsOf(
  log: KeptLog,
  { from, count }: LogSection,
  isOpen: boolean,
  mostChars: number,
  signal: AbortSignal,
): Promise<{ parts: LogLine[][]; isWhole: boolean; chars: number }> {
  if (count <= MOST_WHOLE_LINES && mostChars > 0) {
    const lines = await log.slice(from, count, signal);
    const chars = charsOf(lines);
    if (chars <= mostChars) return { parts: [lines], isWhole: true, chars };
  }
  if (!isOpen) return { parts: [], isWhole: false, chars: 0 };
  const head = await log.slice(from, Math.min(HEAD_LINES, count), signal);
  const tailFrom = Math.max(from + head.length, from + count - TAIL_LINES);
  const tail = await log.slice(tailFrom, from + count - tailFrom, signal);
  const parts = tail.length === 0 ? [head] : [head, tail];
  return { parts, isWhole: false, chars: parts.reduce((sum, part) => sum + charsOf(part), 0) };
}

function charsOf(lines: readonly LogLine[]): number {
  // A number and its markup are something too.
  return lines.reduce((sum, { text }) => sum + text.length + 60, 0);
}

/** One page of a log, without scripts. */
export interface LogPageView {
  readonly id: string;
  /** From 1. */
  readonly page: number;
  readonly pages: number;
  readonly lines: number;
  readonly isWhole: boolean;
  /** Steps, or parts of them, that stand on it. */
  readonly parts: readonly { readonly section: LogSection; readonly lines: readonly LogLine[] }[];
}

/** @returns null where no log is kept, or none that has such a page. */
export async function readLogPage(
  logs: KeptLogs,
  id: string,
  page: number,
  options: { readonly waitMs: number; readonly signal: AbortSignal },
): Promise<LogPageView | null> {
  const log = await logs.look(id);
  if (log === null) return null;
  await log.whole(options.waitMs, options.signal);
  const { lines, isWhole, sections } = log;
  const pages = Math.max(1, pageOfLine(lines));
  if (page < 1 || page > pages) return null;
  const from = (page - 1) * LINES_PER_PAGE + 1;
  const read = await log.slice(from, Math.min(LINES_PER_PAGE, lines - from + 1), options.signal);
  const parts = sections.flatMap((section) => {
    const own = read.slice(
      Math.max(0, section.from - from),
      Math.max(0, section.from + section.count - from),
    );
    return own.length === 0 ? [] : [{ section, lines: own }];
  });
  return { id, page, pages, lines, isWhole, parts };
}

/** On which page a line stands. */
export function pageOfLine(line: number): number {
  return Math.ceil(line / LINES_PER_PAGE);
}
