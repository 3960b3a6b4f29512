import { expect, test } from "vitest";

import { cpuMs } from "../../test/cpu-time.ts";
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

const CONTEXT = {
  project: "mine",
  buildBackend: null,
  topLevel: ["mine"],
  pythonVersion: "3.13.5",
  lacks: ["tkinter"],
};
const TABLES = [RESOLUTION_RULES, LIBRARY_RULES, COMPILER_RULES, ENVIRONMENT_RULES];

const readByEachRule = (raw: string) => {
  const text = boundedText(raw);
  const step = sampleStep({ phase: "install", code: 1, text });
  for (const table of TABLES) firstCause(table, text);
  installCause(step, CONTEXT);
  importCause(text, CONTEXT);
  environmentCause(text, []);
  ranBuild(step);
  saysExcluded(step, "mine");
  saysIndexFailed(step);
  limitEnd({ ...step, limit: "silent" });
  signalEnd({ ...step, signal: "SIGABRT" });
  toldCrash(text);
  counterEnd({ oomKills: 0, pidsRefused: 1, diskFull: true, cpuSeconds: 0 }, text, false);
  reportFromText(raw);
};

const classifiedAndShortened = (raw: string) => {
  classify(sampleEvidence({ failedStep: sampleStep({ phase: "install", code: 1, text: raw }) }));
  const report = sampleReport(["failed"], {}, raw);
  const best = sampleRun({ result: sampleStep({ code: 1, text: raw }), report });
  classify(sampleEvidence({ tests: { best, failedStep: null } }));
  for (const kind of ALL_CAUSE_KINDS) firstLinesThatMatter(raw, { kind, detail: "nowhere" });
};

/** CPU of `work` on a text, in times of what it takes on an ordinary log of that size; the least of three. */
const timesOrdinary = (work: (raw: string) => void) => {
  const line = (index: number) =>
    `  building 'lib${index}' of the package: gcc -O2 -c src/part${index}.c -o part${index}.o\n`;
  const ordinary = Array.from({ length: 5000 }, (_, index) => line(index))
    .join("")
    .slice(0, CHARS);
  const used = (raw: string) => cpuMs(() => work(raw));
  const least = (raw: string) => Math.min(used(raw), used(raw), used(raw));
  least(ordinary);
  const unit = least(ordinary);
  return (raw: string) => least(raw) / unit;
};

test("no text, whatever it repeats, keeps a rule busy", () => {
  const times = timesOrdinary(readByEachRule);
  const took = texts
    .map((raw): [number, string] => [times(raw), raw.slice(0, 20)])
    .toSorted(([one], [other]) => other - one);
  expect(took[0]?.[0], JSON.stringify(took.slice(0, 8))).toBeLessThan(6);
});

test("a verdict and its lines of a word without end are there at once", () => {
  const times = timesOrdinary(classifiedAndShortened);
  for (const word of ["lib", "a==", "x", "(", "1", "Error: "]) {
    expect(times(word.repeat(Math.ceil(CHARS / word.length))), word).toBeLessThan(6);
  }
});

test("lines and the whole are cut in their middle", () => {
  const text = boundedText(`begin${"x".repeat(5000)}end\n${"line\n".repeat(200_000)}last`);
  expect(text.length).toBeLessThanOrEqual(CHARS);
  expect(Math.max(...text.split("\n").map(({ length }) => length))).toBeLessThanOrEqual(2000);
  expect(text).toMatch(/^beginx+ \[…\] x+end\n/);
  expect(text).toMatch(/\nlast$/);
  expect(boundedText("short\n")).toBe("short\n");
});
