import type { AttemptJson } from "../../model/result-json.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import type { Progress } from "./progress-row.ts";

/** What a package would like a terminal, a log or an XML reader to take for more than text. */
export const HOSTILE =
  "\u001b[2J\u001b]0;title\u0007\r\nnext\u009b31m\u0000\u007f\u202e\u2028]]>&<b attr=\"'\ufffe\ud800";

/** A failure with it at each place that a package can write to. */
export function hostileAttempt(): AttemptJson {
  return sampleAttempt({
    id: `01h${HOSTILE}`,
    project: `evil${HOSTILE}`,
    version: `1${HOSTILE}`,
    configuration: `cpython-3.13${HOSTILE}`,
    image: HOSTILE,
    cause: `build-backend(${HOSTILE})`,
    plan: { rung: `B1${HOSTILE}`, command: HOSTILE, rejected: [] },
    smoke: "fail",
    evidence: {
      ...sampleAttempt().evidence,
      firstLines: [`E   ${HOSTILE}`],
      failing: [{ id: `tests/test_a.py::test${HOSTILE}`, outcome: "failed", message: HOSTILE }],
      differing: [HOSTILE],
      contradictions: [`the runner broke: ${HOSTILE}`],
      refused: [{ target: HOSTILE, kind: "dns", count: 2 }],
      attempts: [HOSTILE],
      smoke: [{ what: "script", name: HOSTILE, text: HOSTILE }],
    },
    log: `/logs/${HOSTILE}`,
    report: `/reports/${HOSTILE}`,
  });
}

/** Control, bidirectional and line-separating characters of `text`, newline apart. */
export function controlsOf(text: string): string[] {
  return text.match(/(?!\n)[\p{Cc}\u2028\u2029]|[\u202a-\u202e\u2066-\u2069]/gu) ?? [];
}

/** A row and a line with it at each place. */
export function abuse(progress: Progress): void {
  progress.add("a", `label ${HOSTILE}`);
  progress.enter("a", `phase ${HOSTILE}`, `note ${HOSTILE}`);
  progress.enter("a", "test", HOSTILE);
  progress.say(HOSTILE);
  progress.end("a", `word ${HOSTILE}`, "bad", HOSTILE);
}
