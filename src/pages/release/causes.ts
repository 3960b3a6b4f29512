import { clip, printableLine } from "../../base/bounded-text.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import type { StoredAttempt } from "../../store/store.ts";
import { verdictOf } from "../project/matrix.ts";
import { lookOf } from "../shell/words.ts";

const MOST_LINES = 12;
const MAX_LINE_CHARS = 300;
const MOST_CAUSES = 20;

/** What fails for one cause, told once. */
export interface FailingCause {
  /** As results have it: `dependency-build(cffi)`. */
  readonly cause: string;
  readonly configurations: readonly string[];
  /** Whose lines are shown. */
  readonly attempt: string;
  readonly shownOn: string;
  /** The lines of its log that matter; bounded and printable. */
  readonly lines: readonly string[];
  /** Tests that did not pass, the first few. */
  readonly failing: readonly string[];
}

const MOST_FAILING = 5;

/** Of attempts that say something bad of the release, each distinct cause once; those of most configurations first. */
export function failingCauses(attempts: readonly StoredAttempt[]): readonly FailingCause[] {
  const bad = attempts
    .map(({ attempt }) => attempt)
    .filter(({ outcome, cause }) => verdictOf(lookOf(outcome, cause)) === "bad");
  return [...Map.groupBy(bad, ({ cause }) => cause ?? "")]
    .flatMap(([cause, own]) => {
      // Who has lines to show is shown.
      const shown = own.find(({ evidence }) => evidence.firstLines.length > 0) ?? own[0];
      return shown === undefined ? [] : [causeOf(cause, own, shown)];
    })
    .toSorted((one, other) => other.configurations.length - one.configurations.length)
    .slice(0, MOST_CAUSES);
}

function causeOf(cause: string, own: readonly AttemptJson[], shown: AttemptJson): FailingCause {
  const line = (text: string) => clip(printableLine(text), MAX_LINE_CHARS);
  return {
    cause,
    configurations: own.map(({ configuration }) => configuration),
    attempt: shown.id,
    shownOn: shown.configuration,
    lines: shown.evidence.firstLines.slice(0, MOST_LINES).map(line),
    failing: shown.evidence.failing.slice(0, MOST_FAILING).map(({ id }) => line(id)),
  };
}
