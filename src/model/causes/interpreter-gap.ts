import type { Cause } from "../attempt.ts";
import { causeOf } from "./find.ts";

// CPython's words since 2.7, and its own for what a builder left out (3.15).
const NO_MODULE =
  /No module named ['"]?([\w.]{1,200})|Standard library module ['"]([\w.]{1,200})['"] was not found|requires the \(missing\) (\w{1,100}) module/g;

/**
 * What this build of an interpreter lacks of its version's standard library, where a failure names it: the library that the
 * build was made without is missing, and no release can declare it. The detail is the module as `lacks` has it.
 * @param lacks of the interpreter: `["sqlite3", "_gdbm"]`.
 */
export function interpreterGap(text: string, lacks: readonly string[]): Cause | null {
  if (lacks.length === 0) return null;
  for (const match of text.matchAll(NO_MODULE)) {
    const name = match.slice(1).find((group) => group !== undefined) ?? "";
    // `sqlite3` is missed by the name of its compiled half, `_sqlite3`.
    const top = publicName(name.split(".")[0] ?? name);
    const gap = lacks.find((lacking) => publicName(lacking) === top);
    if (gap !== undefined) return causeOf("missing-system-library", gap);
  }
  return null;
}

function publicName(module: string): string {
  return module.replace(/^_+/, "");
}
