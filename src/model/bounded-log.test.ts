import { expect, test } from "vitest";

import { boundedText } from "./bounded-log.ts";
import { counterEnd, limitEnd, signalEnd, toldCrash } from "./causes/ends.ts";
import { environmentCause, ENVIRONMENT_RULES } from "./causes/environment.ts";
import { importCause } from "./causes/exception.ts";
import { firstCause } from "./causes/find.ts";
import {
  COMPILER_RULES,
  installCause,
  LIBRARY_RULES,
  RESOLUTION_RULES,
} from "./causes/installing.ts";
import { ranBuild, saysExcluded, saysIndexFailed } from "./causes/tool-lines.ts";
import { ALL_CAUSE_KINDS } from "./result-words.ts";
import { classify } from "./classify.ts";
import { sampleEvidence, sampleReport, sampleRun, sampleStep } from "./evidence.sample.ts";
import { firstLinesThatMatter } from "./first-lines.ts";
import { reportFromText } from "./parsed-report.ts";

const CHARS = 300_000;
/** Of CPU, so that whatever else this host does is not counted. */
const usedMs = () => process.cpuUsage().user / 1000;
const WORDS = [
  ..."x|(|1|=|/|.|-|'|\"|\n|\t| ".split("|"),
  ..."lib|lib.so|a==|a.|gcc-|/gcc|Error: |E \n|Thread 0x0|Thread 0x0 |Command |command '/gcc/|Package x".split(
    "|",
  ),
  ...'Because a==1 |requires Python |Run-time dependency x found: NO\n|Collecting a|pg_config |a.c:1:1|File "'.split(
    "|",
  ),
  ..."localhost:5432 |Error 111 connecting to |Assertion `|No module named |× a\n|error: |1 passed ".split(
    "|",
  ),
];
const texts = WORDS.flatMap((word) => {
  const one = word.repeat(Math.ceil(CHARS / word.length));
  const many = one.replaceAll(/[^]{1900}/g, "$&\n");
  return word.includes("\n") ? [one] : [one, many];
});

test("no text, whatever it repeats, keeps a rule busy", () => {
  const context = {
    project: "mine",
    buildBackend: null,
    topLevel: ["mine"],
    pythonVersion: "3.13.5",
    lacks: ["tkinter"],
  };
  const tables = [RESOLUTION_RULES, LIBRARY_RULES, COMPILER_RULES, ENVIRONMENT_RULES];
  const took: [number, string, string][] = [];
  for (const raw of texts) {
    const text = boundedText(raw);
    const step = sampleStep({ phase: "install", code: 1, text });
    const timed = (what: string, work: () => void) => {
      const began = usedMs();
      work();
      took.push([usedMs() - began, what, raw.slice(0, 20)]);
    };
    for (const [index, table] of tables.entries())
      timed(`table ${index}`, () => firstCause(table, text));
    timed("installing", () => installCause(step, context));
    timed("imports", () => importCause(text, context));
    timed("environment", () => environmentCause(text, []));
    timed("tool lines", () => [ranBuild(step), saysExcluded(step, "mine"), saysIndexFailed(step)]);
    timed("ends", () => [
      limitEnd({ ...step, limit: "silent" }),
      signalEnd({ ...step, signal: "SIGABRT" }),
      toldCrash(text),
      counterEnd({ oomKills: 0, pidsRefused: 1, diskFull: true, cpuSeconds: 0 }, text, false),
    ]);
    timed("parsed report", () => reportFromText(raw));
  }
  const slowest = took.toSorted(([one], [other]) => other - one).slice(0, 8);
  const total = took.reduce((sum, [ms]) => sum + ms, 0);
  expect(total, JSON.stringify(slowest)).toBeLessThan(2000);
});

test.each(["lib", "a==", "x", "(", "1", "Error: "])(
  "a verdict and its lines of %j without end are there at once",
  (word) => {
    const raw = word.repeat(Math.ceil(CHARS / word.length));
    const began = usedMs();
    classify(sampleEvidence({ failedStep: sampleStep({ phase: "install", code: 1, text: raw }) }));
    const report = sampleReport(["failed"], {}, raw);
    const best = sampleRun({ result: sampleStep({ code: 1, text: raw }), report });
    classify(sampleEvidence({ tests: { best, failedStep: null } }));
    for (const kind of ALL_CAUSE_KINDS) firstLinesThatMatter(raw, { kind, detail: "nowhere" });
    expect(usedMs() - began).toBeLessThan(2000);
  },
);

test("lines and the whole are cut in their middle", () => {
  const text = boundedText(`begin${"x".repeat(5000)}end\n${"line\n".repeat(200_000)}last`);
  expect(text.length).toBeLessThanOrEqual(CHARS);
  expect(Math.max(...text.split("\n").map(({ length }) => length))).toBeLessThanOrEqual(2000);
  expect(text).toMatch(/^beginx+ \[…\] x+end\n/);
  expect(text).toMatch(/\nlast$/);
  expect(boundedText("short\n")).toBe("short\n");
});
