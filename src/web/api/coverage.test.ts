import { afterEach, beforeEach, expect, test } from "vitest";

import { sampleFarm, type SampleFarm } from "./farm.sample.ts";

let farm: SampleFarm;
beforeEach(async () => {
  farm = await sampleFarm();
});
afterEach(() => farm[Symbol.asyncDispose]());

test("coverage counts what was seen, once each, and private projects for who may see them all", async () => {
  await farm.database.write(async (within) => {
    for (const [name, visibility] of [
      ["open", "public"],
      ["hush", "private"],
    ] as const) {
      await within.insertInto("project").values({ name, visibility }).execute();
      await within
        .insertInto("seen_release")
        .values({
          project: name,
          version: "1.0",
          seen_ms: farm.nowMs - 1000,
          class: "tail",
          decision: "not-admitted",
          reason: "no room",
          new_name: 0,
          expires_ms: null,
        })
        .execute();
    }
  });
  const seenBy = async (as?: string): Promise<unknown> => {
    const answer = await farm.ask("/coverage?days=1", as === undefined ? {} : { as });
    expect(answer.status).toBe(200);
    return await answer.json();
  };
  expect(await seenBy()).toMatchObject({ seen: 1, states: { "not-admitted": 1, full: 0 } });
  expect(await seenBy(await farm.token(["read-private"]))).toMatchObject({
    seen: 2,
    classes: [{ class: "tail", seen: 2 }],
  });
  expect((await farm.ask("/coverage?days=0")).status).toBe(400);
});
