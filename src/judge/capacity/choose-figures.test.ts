import { expect, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import { chooseFigures } from "./choose-figures.ts";
import { FEWEST_MEASURED, type MeasuredAttempt } from "./measured.ts";
import { sampleMeasured } from "./measured.sample.ts";

const some = (count: number, change: Partial<MeasuredAttempt> = {}) =>
  Array.from({ length: count }, () => sampleMeasured(change));

test("a farm's own attempts count, of the kind that it has most of", () => {
  const own = [...some(FEWEST_MEASURED), ...some(FEWEST_MEASURED + 5, { machine: "container" })];
  expect(chooseFigures(own, undefined)).toMatchObject({ from: "farm", machine: "container" });
  const asked = chooseFigures(own, "gvisor");
  expect(asked).toMatchObject({ from: "farm", ownAttempts: FEWEST_MEASURED });
  expect(asked.attempts.every(({ machine }) => machine === "gvisor")).toBe(true);
});

test("too few are told, and the shipped figures taken", () => {
  const figures = chooseFigures(some(FEWEST_MEASURED - 1), undefined);
  expect(figures).toMatchObject({ from: "corpus", ownAttempts: FEWEST_MEASURED - 1 });
  expect(figures.attempts.length).toBeGreaterThanOrEqual(FEWEST_MEASURED);
  expect(chooseFigures(some(100, { machine: "container" }), "gvisor").from).toBe("corpus");
});

test("attempts that ran nothing are no measure of a farm", () => {
  const own = some(100, { slotSeconds: 0.01 });
  expect(chooseFigures(own, undefined)).toMatchObject({ from: "corpus", ownAttempts: 0 });
  // Beside those that ran they are part of what comes.
  const mixed = [...own, ...some(FEWEST_MEASURED)];
  expect(chooseFigures(mixed, undefined).attempts).toHaveLength(100 + FEWEST_MEASURED);
});

test("what was asked for is never answered with another kind's figures", () => {
  const own = [...some(100), ...some(3, { machine: "container" })];
  expect(() => chooseFigures(own, "container")).toThrow("has measured 3");
});

test("where there is nothing to go by, that is told", () => {
  expect(() => chooseFigures(some(3, { machine: "qemu" }), "qemu")).toThrow(CreameryError);
  expect(() => chooseFigures(some(3, { machine: "qemu" }), "qemu")).toThrow("has measured 3");
});
