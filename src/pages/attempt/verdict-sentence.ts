import type { Outcome } from "../../model/attempt.ts";
import { releaseOf } from "../../model/attempt-words.ts";
import { causeWords } from "../../model/cause-words.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import { parseCause, parseConfidence } from "../../model/result-words.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { lookOf, type Look } from "../shell/words.ts";
import { counted, line } from "./texts.ts";

const VERBS: Readonly<Record<Outcome, string>> = {
  pass: "passes",
  fail: "fails",
  crash: "crashes",
  killed: "was ended at a limit",
  skip: "was not tested",
  error: "could not be judged",
};

/** What was tested, where, what came of it, who must act, and how sure that is: one sentence. */
export function verdictSentence(attempt: AttemptJson): string {
  const look = lookOfAttempt(attempt);
  const verb = look === "farm" ? "got no verdict" : VERBS[attempt.outcome];
  const subject = `${line(releaseOf(attempt), 200)} ${verb} on ${configurationWords(attempt.configuration)}`;
  if (attempt.outcome === "pass") return `${subject}: ${testsText(attempt)}.`;
  const { text, who } = causeOf(attempt);
  const act = attempt.outcome === "skip" ? "" : `; who must act: ${who}`;
  return `${subject}: ${text}${act}${surely(attempt, look)}.`;
}

export function lookOfAttempt({ outcome, cause }: AttemptJson): Look {
  return lookOf(outcome, cause === null ? null : (parseCause(cause)?.kind ?? null));
}

function causeOf(attempt: AttemptJson): { readonly text: string; readonly who: string } {
  const { cause, tests } = attempt;
  if (cause === null) return { text: "no cause is known", who: "the farm" };
  const words = causeWords(cause);
  const bad = (tests?.failed ?? 0) + (tests?.errors ?? 0);
  if (tests === null || bad === 0) return words;
  const share = `${bad.toLocaleString("en")} of ${counted(tests.collected, "test")}`;
  return cause === "test-failure"
    ? { ...words, text: `${share} fail${bad === 1 && tests.collected !== 1 ? "s" : ""}` }
    : { ...words, text: `${words.text} (${share} did not pass)` };
}

function testsText({ tests }: AttemptJson): string {
  if (tests === null) return "no test says otherwise";
  const others = [
    tests.skipped > 0 ? `${tests.skipped.toLocaleString("en")} skipped` : "",
    tests.deselected > 0 ? `${tests.deselected.toLocaleString("en")} left out` : "",
  ].filter((text) => text !== "");
  const passed = `${counted(tests.passed, "test")} passed`;
  return [passed, ...others].join(", ");
}

/** A pass says itself how sure it is; a skip is concluded, and what the farm failed in is run again. */
function surely({ confidence, outcome }: AttemptJson, look: Look): string {
  if (outcome === "skip" || (look === "farm" && confidence === "unconfirmed")) return "";
  const text = confidenceWords(confidence);
  return text === "" ? "" : `; ${text}`;
}

/** How sure a verdict is, as a clause. @param confidence `confirmed(2/2)`, `flaky` */
export function confidenceWords(confidence: string): string {
  const parsed = parseConfidence(confidence);
  if (parsed === null) return "";
  switch (parsed.kind) {
    case "confirmed":
      return parsed.agreed === parsed.runs
        ? `confirmed: ${parsed.runs === 2 ? "both runs" : `all ${parsed.runs} runs`} agree`
        : `confirmed: ${parsed.agreed} of ${parsed.runs} runs agree`;
    case "flaky":
      return "flaky: run again, it did not fail the same way";
    case "unconfirmed":
      return "seen once, and not confirmed by a second run";
    case "inferred":
      return "concluded without running it";
  }
}
