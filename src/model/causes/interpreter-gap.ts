import type { Cause } from "../attempt.ts";
import { anyGroup, causeOf } from "./find.ts";
import { exceptionChain } from "./traceback.ts";

// As Python ends a traceback, and pytest and its runner's own faults before their marks; a log's note of what it goes on
// without has other words in front.
const EXCEPTION =
  /^(?:INTERNALERROR>)?[ \t|]{0,80}(?:E[ \t]{1,80})?[\w.]{0,200}(?:Error|Exception|Exit): ([^\n]*)/gm;

// CPython's words since 2.7, its own for what a builder left out (3.15), zipfile's and tarfile's.
const NO_MODULE =
  /^(?:No module named ['"]?([\w.]{1,200})|Standard library module ['"]([\w.]{1,200})['"] was not found|Compression requires the \(missing\) (\w{1,100}) module|(\w{1,100}) module is not available)/;
// Debian's words in place of CPython's (3.15): its package alone is named.
const NO_PACKAGE = /^Please install the python3-(gdbm|tk) package/;

/**
 * What this build of an interpreter lacks of its version's standard library, where the last exception of a text names it: the
 * library that the build was made without is missing, and no release can declare it. The detail is the module as `lacks` has it.
 * @param lacks of the interpreter: `["sqlite3", "_gdbm"]`.
 */
export function interpreterGap(text: string, lacks: readonly string[]): Cause | null {
  return lacks.length === 0 ? null : gapOf(exceptionChain(text).at(-1) ?? "", lacks);
}

/**
 * The same of what the last exception came out of, for one that has no cause of its own: whoever caught a gap had no other way
 * to go on.
 */
export function caughtGap(text: string, lacks: readonly string[]): Cause | null {
  if (lacks.length === 0) return null;
  for (const one of exceptionChain(text).slice(0, -1).toReversed()) {
    const gap = gapOf(one, lacks);
    if (gap !== null) return gap;
  }
  return null;
}

function gapOf(text: string, lacks: readonly string[]): Cause | null {
  const said = [...text.matchAll(EXCEPTION)].at(-1)?.[1] ?? "";
  const module = missedModule(said);
  return module === undefined ? null : gapOfModule(module, lacks);
}

/** The gap that a module which can't be imported is, or is in. */
export function gapOfModule(module: string, lacks: readonly string[]): Cause | null {
  const [top] = module.split(".");
  // `sqlite3` is missed by the name of its compiled half, `_sqlite3`, and 2.7's Tkinter by `_tkinter`.
  const gap = lacks.find((lacking) => top === lacking || top === `_${lacking.toLowerCase()}`);
  return gap === undefined ? null : causeOf("missing-system-library", gap);
}

function missedModule(said: string): string | undefined {
  const packaged = NO_PACKAGE.exec(said)?.[1];
  if (packaged !== undefined) return packaged === "tk" ? "_tkinter" : "_gdbm";
  const match = NO_MODULE.exec(said);
  return match === null ? undefined : anyGroup(match);
}
