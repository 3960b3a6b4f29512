import { clip, printableLine } from "../../base/bounded-text.ts";

const IMPLEMENTATIONS: ReadonlyMap<string, string> = new Map([
  ["cpython", "CPython"],
  ["pypy", "PyPy"],
]);
const NAME = /^([a-z]+)-(\d{1,2}\.\d{1,3})(t?)$/u;
/** As many as a configuration's name may have. */
const MAX_CHARS = 40;

/** As people call it: `CPython 3.13`, `PyPy 3.11`, `CPython 3.14 free-threaded`. What is no such name is shown as it is. */
export function configurationWords(name: string): string {
  const { implementation, version, isFreeThreaded } = partsOf(name);
  if (implementation === null) return version;
  return `${implementation} ${version}${isFreeThreaded ? " free-threaded" : ""}`;
}

/** For heads of narrow columns: the implementation, and the version (`3.14t` where it is free-threaded). */
export function configurationParts(name: string): {
  /** Null where the name is none of the known form: then `version` is all of it. */
  readonly implementation: string | null;
  readonly version: string;
} {
  const { implementation, version, isFreeThreaded } = partsOf(name);
  return { implementation, version: isFreeThreaded ? `${version}t` : version };
}

function partsOf(name: string) {
  const [, kind = "", version = "", threaded = ""] = NAME.exec(name) ?? [];
  const implementation = IMPLEMENTATIONS.get(kind);
  if (implementation === undefined)
    return {
      implementation: null,
      version: clip(printableLine(name), MAX_CHARS),
      isFreeThreaded: false,
    };
  return { implementation, version, isFreeThreaded: threaded !== "" };
}
