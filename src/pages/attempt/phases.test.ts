import { expect, test } from "vitest";

import { markupOf } from "../shell/html.ts";
import { phasesOf, phasesSection } from "./phases.ts";

test("laps in their order, end to end, with what is in no lap, and the confirming run behind", () => {
  const phases = phasesOf({
    test: 5,
    start: 1,
    install: 2,
    farm: 3,
    total: 10,
    confirm: 4,
    "confirm-test": 1,
  });
  expect(phases.map(({ name, seconds, from, whose }) => [name, from, seconds, whose])).toEqual([
    ["A fresh guest starts", 0, 1, "farm"],
    ["Release and dependencies are installed", 1, 2, "package"],
    ["Tests run", 3, 5, "package"],
    ["Between the steps", 8, 2, "farm"],
    ["What failed runs once more, elsewhere", 10, 1, "package"],
    ["All else of the run that confirms", 11, 4, "farm"],
  ]);
});

test("laps that overlap and so sum up to more than all leave nothing between them", () => {
  expect(phasesOf({ install: 6, test: 6, total: 10 }).map(({ name }) => name)).not.toContain(
    "Between the steps",
  );
});

test("a lap that this version does not know is shown by its name, as text", async () => {
  const markup = await markupOf(phasesSection({ "<b>new\n": 2, total: 2 }));
  expect(markup).toContain("&lt;b&gt;new\\n");
});

test("no bar is outside of its frame, however short it is", async () => {
  const markup = await markupOf(
    phasesSection({ start: 0.011, test: 900, evidence: 0.02, total: 901 }),
  );
  for (const [, x = "", width = ""] of markup.matchAll(/x="(\d+)" y="0" width="(\d+)"/gu)) {
    expect(Number(width)).toBeGreaterThan(0);
    expect(Number(x) + Number(width)).toBeLessThanOrEqual(1000);
  }
});

test("an attempt of which no time is known has no such section", async () => {
  expect(await markupOf(phasesSection({}))).toBe("");
});
