import { createHash } from "node:crypto";

import type { TestResult } from "../../model/attempt.ts";
import { releaseOf } from "../../model/attempt-words.ts";
import { causeWords } from "../../model/cause-words.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import { parseCause } from "../../model/result-words.ts";
import { standingOf } from "../../model/standing.ts";
import { isBad } from "./compare-tests.ts";
import { line, lines } from "./texts.ts";
import { verdictSentence } from "./verdict-sentence.ts";

const SCHEMA =
  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/** Readers take so many of one run, or fewer. */
const MAX_RESULTS = 5000;
const MAX_MESSAGE_CHARS = 2000;

/** What made the file. */
export interface SarifTool {
  /** `0.1.0` */
  readonly version: string;
}

/**
 * An attempt in the form in which tools tell each other what they found (OASIS, SARIF 2.1.0): one run, a result for each test that
 * did not pass, or one for what kept tests from running. What was no fault of the package's is no result, but a notification of
 * the run.
 */
export function renderSarif(
  attempt: AttemptJson,
  tests: readonly TestResult[],
  { version }: SarifTool,
): string {
  const standing = standingOf(attempt);
  const sentence = lines(verdictSentence(attempt));
  const ruleId =
    (attempt.cause === null ? null : parseCause(attempt.cause)?.kind) ?? "test-failure";
  const bad = tests.filter(isBad);
  const results =
    standing !== "unsound"
      ? []
      : bad.length > 0
        ? bad.slice(0, MAX_RESULTS).map((test) => resultOf(test, ruleId))
        : [ofAttempt(attempt, ruleId, sentence)];
  const { text } = causeWords(attempt.cause ?? ruleId);
  const run = {
    tool: {
      driver: {
        name: "Creamery",
        version,
        semanticVersion: version,
        rules: [{ id: ruleId, shortDescription: { text: line(text) } }],
      },
    },
    automationDetails: { id: line(`${releaseOf(attempt)}/${attempt.configuration}/${attempt.id}`) },
    invocations: [
      {
        executionSuccessful: standing !== "no-verdict",
        ...(standing === "no-verdict"
          ? { toolExecutionNotifications: [{ level: "error", message: { text: sentence } }] }
          : {}),
      },
    ],
    results,
    properties: {
      attempt: attempt.id,
      outcome: attempt.outcome,
      confidence: attempt.confidence,
      ...(bad.length > MAX_RESULTS ? { leftOut: bad.length - MAX_RESULTS } : {}),
    },
  };
  return `${JSON.stringify({ $schema: SCHEMA, version: "2.1.0", runs: [run] }, null, 2)}\n`;
}

function resultOf({ id, outcome, message = "" }: TestResult, ruleId: string) {
  const path = pathOf(id);
  const at = path === null ? null : lineIn(message, path);
  return {
    ruleId,
    ruleIndex: 0,
    level: "error",
    message: {
      text: lines(message.trim() === "" ? `${line(id)}: ${outcome}` : message, MAX_MESSAGE_CHARS),
    },
    locations: [
      {
        ...(path === null
          ? {}
          : {
              physicalLocation: {
                artifactLocation: { uri: encodeURI(path), uriBaseId: "SRCROOT" },
                ...(at === null ? {} : { region: { startLine: at } }),
              },
            }),
        logicalLocations: [{ fullyQualifiedName: line(id), kind: "function" }],
      },
    ],
    partialFingerprints: { "creameryTest/v1": createHash("sha256").update(id).digest("hex") },
  };
}

/** For a verdict that no test's result carries: a build that failed, a limit. */
function ofAttempt(attempt: AttemptJson, ruleId: string, sentence: string) {
  const said = attempt.evidence.firstLines.slice(0, 20).map((text) => line(text));
  return {
    ruleId,
    ruleIndex: 0,
    level: "error",
    message: { text: [sentence, ...said].join("\n") },
    locations: [
      { logicalLocations: [{ fullyQualifiedName: line(releaseOf(attempt)), kind: "module" }] },
    ],
    partialFingerprints: {
      "creameryVerdict/v1": createHash("sha256")
        .update(`${attempt.phase} ${attempt.cause ?? ""}`)
        .digest("hex"),
    },
  };
}

/** The file's part of a test's id, where it is one within the tree: an id is a package's own, and may be anything. */
function pathOf(id: string): string | null {
  const [path = ""] = id.split("::", 1);
  if (!/^[\p{L}\p{N}_.+@ -]+(?:\/[\p{L}\p{N}_.+@ -]+)*$/u.test(path)) return null;
  return path.endsWith(".py") && path.isWellFormed() && !path.split("/").includes("..")
    ? path
    : null;
}

/** The last line of that file that a traceback names: pytest writes `tests/test_a.py:12: AssertionError`. */
function lineIn(message: string, path: string): number | null {
  const named = message
    .split("\n")
    .findLast(
      (text) => text.startsWith(`${path}:`) && /^:\d{1,7}(?::|$)/u.test(text.slice(path.length)),
    );
  const at = Number(/^:(\d+)/u.exec(named?.slice(path.length) ?? "")?.[1] ?? 0);
  return at > 0 ? at : null;
}
