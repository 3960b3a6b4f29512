import { clip, printable } from "../base/bounded-text.ts";
import type { Cause, CauseKind } from "./attempt.ts";

const MAX_LINES = 8;
const MAX_LINE_CHARS = 200;

/** Where the telling line of a cause stands in a log. */
const TELLING: Partial<Record<CauseKind, RegExp>> = {
  "missing-system-library": /fatal error: |cannot find -l|not found|NOT found|could not find/,
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

/**
 * The few lines of a log that a person reads first: from the line that gives the cause away, else the
 * last lines. Bounded, with control characters made visible.
 */
export function firstLinesThatMatter(log: string, cause: Cause | null): string[] {
  const lines = log.split("\n").map((line) => line.replaceAll("\r", "").trimEnd());
  const pattern = cause === null ? undefined : TELLING[cause.kind];
  const named =
    cause?.detail === undefined
      ? -1
      : lines.findIndex(
          (line) => line.includes(cause.detail ?? "") && (pattern?.test(line) ?? true),
        );
  const telling =
    named >= 0 || pattern === undefined ? named : lines.findIndex((line) => pattern.test(line));
  const isShown = (line: string) => line.trim() !== "" && !/^(?:==|--) \w[\w ()-]*: /.test(line);
  const from = telling >= 0 ? lines.slice(telling) : lines.filter(isShown).slice(-MAX_LINES);
  return from
    .filter(isShown)
    .slice(0, MAX_LINES)
    .map((line) => clip(printable(line), MAX_LINE_CHARS));
}
