import { afterEach, beforeEach, expect, test } from "vitest";

import { sampleSite, type SampleSite } from "./site.sample.ts";

let site: SampleSite;
beforeEach(async () => {
  site = await sampleSite();
});
afterEach(() => site[Symbol.asyncDispose]());

/** How many, and their share, of what a row says. */
function figure(text: string, words: string): readonly string[] {
  const row = text.slice(text.indexOf(`>${words}<`));
  return [...row.matchAll(/<td class="number">([^<]*)<\/td>/gu)]
    .slice(0, 2)
    .map(([, it]) => it ?? "");
}

test("says what it promises, what it runs, and that it has found nothing yet", async () => {
  const text = await site.text("/about");
  for (const words of ["What it promises", "What it does not", "0.1.0", "/api/v1/docs"])
    expect(text).toContain(words);
  expect(figure(text, "The farm failed")).toEqual(["0", "0 %"]);
  expect(text).toContain("No release had its first verdict in the last day.");
});

test("tells how often the farm fails and how sure failures are; a fault of its own is no failure of anybody's", async () => {
  for (const change of [
    { outcome: "pass", cause: null, confidence: "unconfirmed" },
    { outcome: "fail", cause: "test-failure", confidence: "confirmed(2/2)" },
    { outcome: "fail", cause: "test-failure", confidence: "flaky" },
    { outcome: "crash", cause: "segfault", confidence: "unconfirmed" },
    { outcome: "error", cause: "vm-resume", confidence: "unconfirmed" },
    { outcome: "fail", cause: "machine-difference", confidence: "confirmed(3/3)" },
    { outcome: "skip", cause: "requires-python", confidence: "inferred" },
    { outcome: "fail", cause: "test-failure", confidence: "inferred" },
  ] as const)
    await site.farm.record({ project: "six", ...change });
  await site.farm.record({ project: "six" }, { reason: "confirm" });
  const text = await site.text("/about");
  expect(text).toContain("Of 8 attempts");
  expect(figure(text, "The farm failed")).toEqual(["1", "12.5 %"]);
  expect(figure(text, "Machines differ, for the farm to explain")).toEqual(["1", "12.5 %"]);
  expect(text).toContain("Of 4 failures, crashes and hangs");
  for (const words of [
    "Confirmed by another run",
    "Flaky",
    "Unconfirmed",
    "Concluded without running",
  ])
    expect(figure(text, words), words).toEqual(["1", "25 %"]);
});

test("counts nothing of a private project for who may not see it", async () => {
  await site.farm.record({ project: "secret", confidence: "flaky" }, { visibility: "private" });
  await site.farm.record({ project: "six" });
  await site.farm.database.write(async (db) => {
    for (const project of ["secret", "six"])
      await db
        .insertInto("seen_release")
        .values({
          project,
          version: "1.0",
          seen_ms: site.farm.nowMs,
          class: "new",
          decision: "full",
          reason: "",
          new_name: 0,
          expires_ms: null,
        })
        .execute();
  });
  const stranger = await site.text("/about");
  expect(stranger).toContain("Of 1 attempts");
  expect(figure(stranger, "Flaky")).toEqual(["0", "0 %"]);
  expect(stranger).toContain("1 release that was seen");
  const seen = await site.text("/about", await site.farm.token(["read-private"]));
  expect(seen).toContain("Of 2 attempts");
  expect(figure(seen, "Flaky")).toEqual(["1", "50 %"]);
  expect(seen).toContain("2 releases that were seen");
});
