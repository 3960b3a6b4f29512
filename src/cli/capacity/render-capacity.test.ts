import { beforeAll, expect, test } from "vitest";

import { capacityOf } from "../../judge/capacity/capacity.ts";
import { CORPUS_FIGURES } from "../../judge/capacity/corpus-figures.ts";
import { notePricePerHour } from "../../judge/capacity/sums.ts";
import { renderCapacity, type CapacityAnswer } from "./render-capacity.ts";

const attempts = CORPUS_FIGURES.filter(({ machine }) => machine === "gvisor");
const demand = {
  releasesPerMinute: 0.5,
  configurations: 2,
  coresPerHost: 1,
  dollarsPerHour: notePricePerHour(1),
};
let answer: CapacityAnswer;

beforeAll(async () => {
  const signal = new AbortController().signal;
  const capacity = await capacityOf(attempts, {
    demand,
    priorityConfigurations: 1,
    seed: 1,
    signal,
    hours: 1,
  });
  answer = {
    schema: 1,
    figures: { from: "farm", machine: "gvisor", ownAttempts: 30, attempts: 30 },
    demand,
    price: "note",
    seed: 1,
    ...capacity,
  };
});

test("the answer is a screen, with the note's claims beside ours and a row for each lane", () => {
  const text = renderCapacity(answer);
  const lines = text.split("\n");
  expect(lines.length).toBeLessThanOrEqual(45);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(120);
  expect(text).toMatch(/^Measured: the newest 30 attempts of this farm on gvisor\.$/mu);
  expect(text).toMatch(/so often in a day +7 /u);
  expect(text).toMatch(/a month +\$275 +\$275 /u);
  expect(text).toMatch(/core seconds of an attempt +69\.3 /u);
  for (const lane of ["manual", "priority", "rest", "background"])
    expect(text).toMatch(new RegExp(`^ +${lane} `, "mu"));
});

test("figures that are not the farm's own are called what they are", () => {
  const shipped = { ...answer.figures, from: "corpus" as const, ownAttempts: 3, attempts: 23 };
  const text = renderCapacity({ ...answer, figures: shipped });
  expect(text).toContain("has measured only 3 attempts on gvisor, and 20 are needed");
  expect(text).toContain("not this farm's");
  expect(text).not.toContain("Measured:");
});

test("that it does not keep up is said with how much is left", () => {
  const { manual, priority, rest, background } = answer.day.lanes;
  const lanes = {
    manual: { ...manual, left: 1 },
    priority: { ...priority, left: 700 },
    rest: { ...rest, left: 1235 },
    background,
  };
  const day = { ...answer.day, lanes, keepsUp: false };
  expect(renderCapacity({ ...answer, day })).toMatch(/It does not keep up: 1,936 jobs/u);
  expect(renderCapacity({ ...answer, day: { ...day, keepsUp: true } })).toContain("It keeps up.");
});

test("all of it is JSON, every figure a number", () => {
  const text = JSON.stringify(answer);
  expect(text).not.toContain("null");
  expect(JSON.parse(text)).toMatchObject({ schema: 1, day: { arrived: answer.day.arrived } });
});
