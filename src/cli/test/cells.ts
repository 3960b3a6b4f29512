import { detailOf, releaseOf } from "../../model/attempt-words.ts";
import { compareConfigurations } from "../../model/configuration-name.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import { standingOf } from "../../model/standing.ts";
import type { MatrixCell } from "./matrix.ts";
import type { MissingCell } from "../../model/missing-cell.ts";
import { isSameSource } from "./missing-cells.ts";
import type { Tone } from "./tone.ts";

/** One word for an attempt, that says the verdict without its colour. */
export interface VerdictWord {
  readonly word:
    | "pass"
    | "FAIL"
    | "CRASH"
    | "KILLED"
    | "skip"
    | "error"
    | "flaky"
    | "differs"
    | "farm";
  readonly tone: Tone;
}

/** Red is what makes the exit code 1, and nothing else is. */
export function wordOf(attempt: AttemptJson): VerdictWord {
  const standing = standingOf(attempt);
  if (standing === "no-verdict") return { word: "farm", tone: "neutral" };
  if (standing === "unsound" && attempt.confidence === "flaky")
    return { word: "flaky", tone: "bad" };
  switch (attempt.outcome) {
    case "pass":
      return { word: "pass", tone: "good" };
    case "skip":
      return { word: "skip", tone: "neutral" };
    case "fail":
    case "crash":
    case "killed":
    case "error":
      // A difference between machine kinds: sound as far as the package goes, the farm's to explain.
      return standing === "sound"
        ? { word: "differs", tone: "neutral" }
        : { word: UNSOUND[attempt.outcome], tone: "bad" };
  }
}

const UNSOUND = { fail: "FAIL", crash: "CRASH", killed: "KILLED", error: "error" } as const;

/**
 * A cell for each attempt, and for each that could not be made. Releases that only their source tells apart have it in their
 * row's name.
 */
export function cellsOf(
  attempts: readonly AttemptJson[],
  missing: readonly MissingCell[] = [],
): MatrixCell[] {
  const ran = attempts.map((attempt) => ({
    release: releaseOf(attempt),
    source: attempt.source,
    column: attempt.configuration,
    ...wordOf(attempt),
    detail: detailOf(attempt),
  }));
  const left = missing.map((one) => ({
    // A tree says its name and version only when it is built: where it was, they are known.
    release: releaseOf(attempts.find(({ source }) => isSameSource(source, one.source)) ?? one),
    source: one.source,
    column: one.configuration,
    word: "missing",
    detail: "not in this image",
    tone: "neutral" as const,
  }));
  const cells = withRows([...ran, ...left]);
  // Sorting is stable: rows stay in their order, and a column stands where its version belongs.
  return missing.length === 0
    ? cells
    : cells.toSorted((one, other) => compareConfigurations(one.column, other.column));
}

interface UnnamedCell extends Omit<MatrixCell, "row"> {
  readonly release: string;
  readonly source: AttemptJson["source"];
}

function withRows(cells: readonly UnnamedCell[]): MatrixCell[] {
  const sources = new Map<string, Set<string>>();
  for (const { release, source } of cells)
    sources.set(release, (sources.get(release) ?? new Set()).add(source.kind));
  return cells.map(({ release, source, ...cell }) => {
    const ambiguous = (sources.get(release)?.size ?? 0) > 1;
    return { row: ambiguous ? `${release} (${source.kind})` : release, ...cell };
  });
}
