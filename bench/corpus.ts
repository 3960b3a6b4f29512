import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import { ResultJson, type AttemptJson } from "../src/model/result-json.ts";
import { parseCause } from "../src/model/result-words.ts";
import { normaliseName } from "../src/python/names.ts";
import { bar, printBars } from "./bars.ts";
import { REPOSITORY, runCreamery } from "./run-creamery.ts";

/**
 * Real releases, found out by hand (JSON lines: name, version, expected_outcome, collected), tested by the command as a
 * person would: does it come to the same outcome, and does it run the tests that are there?
 *
 *     npm run -s bench:corpus -- [--corpus FILE] [--only NAME,NAME] [--on CONFIGURATION] [--jobs N] [--json]
 */

const Row = z.object({
  name: z.string(),
  version: z.string(),
  expected_outcome: z.enum(["pass", "fail", "no-tests", "undetermined"]),
  collected: z.number(),
});
type Row = z.infer<typeof Row>;

/** Of the record's tests. */
const ENOUGH = 0.95;

const argv = process.argv.slice(2);
const option = (name: string): string | undefined => {
  const at = argv.indexOf(name);
  return at < 0 ? undefined : argv[at + 1];
};

const file = option("--corpus") ?? join(REPOSITORY, "..", "shared", "corpus", "dev.jsonl");
if (!existsSync(file)) {
  process.stderr.write(`${file}: there is no corpus; name one with --corpus FILE\n`);
  process.exit(2);
}
const only = option("--only")?.split(",");
const rows = readFileSync(file, "utf8")
  .split("\n")
  .filter((line) => line.trim() !== "")
  .map((line) => Row.parse(JSON.parse(line)))
  .filter((row) => row.expected_outcome !== "undetermined")
  .filter((row) => only === undefined || only.includes(row.name));

const { stdout } = await runCreamery([
  "test",
  ...rows.map((row) => `${row.name}==${row.version}`),
  "--on",
  option("--on") ?? "cpython-3.11",
  "--jobs",
  option("--jobs") ?? "1",
  "--json",
]);
const attempts = ResultJson.parse(JSON.parse(stdout)).attempts;
const found = rows.map((row) => ({
  row,
  attempt: attempts.find(({ project }) => project === normaliseName(row.name)),
}));

if (!argv.includes("--json")) {
  for (const { row, attempt } of found) process.stdout.write(`${lineOf(row, attempt)}\n`);
  process.stdout.write("\n");
}
const counted = found.filter(({ row }) => row.expected_outcome !== "no-tests");
const share = (some: readonly unknown[], of: readonly unknown[]) =>
  of.length === 0 ? 1 : some.length / of.length;
const whole = only === undefined;
printBars(
  [
    bar(
      `outcome as expected, of ${found.length}`,
      share(
        found.filter(({ row, attempt }) => outcomeAgrees(row, attempt)),
        found,
      ),
      "",
      whole ? { op: ">=", than: 0.9 } : undefined,
    ),
    bar(
      `at least 95% of the tests collected, of ${counted.length}`,
      share(
        counted.filter(({ row, attempt }) => countAgrees(row, attempt)),
        counted,
      ),
      "",
      whole ? { op: ">=", than: 0.85 } : undefined,
    ),
  ],
  process.argv,
);

function outcomeAgrees(row: Row, attempt: AttemptJson | undefined): boolean {
  if (attempt === undefined) return false;
  switch (row.expected_outcome) {
    case "no-tests":
      return ["no-tests", "tests-not-in-sdist"].includes(kindOf(attempt) ?? "");
    case "pass":
    case "fail":
      return attempt.outcome === row.expected_outcome;
    case "undetermined":
      return true;
  }
}

function countAgrees(row: Row, attempt: AttemptJson | undefined): boolean {
  return (attempt?.tests?.collected ?? 0) >= ENOUGH * row.collected;
}

function kindOf(attempt: AttemptJson): string | undefined {
  return attempt.cause === null ? undefined : parseCause(attempt.cause)?.kind;
}

function lineOf(row: Row, attempt: AttemptJson | undefined): string {
  const outcome = outcomeAgrees(row, attempt);
  const count = row.expected_outcome === "no-tests" || countAgrees(row, attempt);
  const name = `${row.name} ${row.version}`.padEnd(26);
  if (attempt === undefined) return `MISSED  ${name} no attempt`;
  const { tests, evidence, plan } = attempt;
  const why =
    outcome && count
      ? ""
      : [
          attempt.phase,
          evidence.failing[0]?.id ?? evidence.firstLines[0] ?? "",
          evidence.contradictions[0] ?? "",
          plan.command ?? "",
        ]
          .filter((part) => part !== "")
          .join(" | ");
  const counts = `${tests?.collected ?? 0}/${row.collected}`.padEnd(12);
  const said = `${attempt.outcome}${attempt.cause === null ? "" : ` ${attempt.cause}`}`;
  return `${outcome && count ? "ok    " : "MISSED"}  ${name} ${counts} expected ${row.expected_outcome}, was ${said} (${plan.rung ?? "no plan"}, ${attempt.seconds["total"] ?? 0} s) ${why}`.trimEnd();
}
