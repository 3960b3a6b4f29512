import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

import {
  ALL_CAUSE_KINDS,
  causeGroup,
  formatCause,
  formatConfidence,
  parseCause,
  parseConfidence,
} from "./result-words.ts";
import { AttemptJson, resultJsonSchema } from "./result-json.ts";
import { sampleAttempt } from "./result-json.sample.ts";

test("the published schema is the one that results are checked with", () => {
  const published: unknown = JSON.parse(
    readFileSync(new URL("../../docs/result.schema.json", import.meta.url), "utf8"),
  );
  // To publish a change: print resultJsonSchema() into docs/result.schema.json.
  expect(published).toEqual(JSON.parse(JSON.stringify(resultJsonSchema())));
});

test("a result keeps to it, and one with a cause of nobody's does not", () => {
  expect(AttemptJson.parse(sampleAttempt())).toEqual(sampleAttempt());
  expect(AttemptJson.safeParse(sampleAttempt({ cause: "bad-luck" })).success).toBe(false);
  expect(AttemptJson.safeParse(sampleAttempt({ confidence: "certain" })).success).toBe(false);
});

test.each(ALL_CAUSE_KINDS.map((kind) => [kind]))(
  "the cause %s is written and read back",
  (kind) => {
    expect(parseCause(formatCause({ kind }))).toEqual({ kind });
    expect(parseCause(formatCause({ kind, detail: "a(b)" }))).toEqual({ kind, detail: "a(b)" });
    expect(causeGroup(kind)).toBeTruthy();
  },
);

test("confidences are written and read back", () => {
  for (const text of ["confirmed(2/3)", "flaky", "unconfirmed", "inferred"]) {
    const confidence = parseConfidence(text);
    expect(confidence === null ? null : formatConfidence(confidence)).toBe(text);
  }
  expect(parseConfidence("confirmed(2)")).toBeNull();
});

test("each cause stands in docs/results.md", () => {
  const page = readFileSync(new URL("../../docs/results.md", import.meta.url), "utf8");
  expect(ALL_CAUSE_KINDS.filter((kind) => !page.includes(`\`${kind}`))).toEqual([]);
});
