import { afterEach, beforeEach, expect, test } from "vitest";

import { sampleFarm, type SampleFarm } from "./farm.sample.ts";

let farm: SampleFarm;
beforeEach(async () => {
  farm = await sampleFarm();
});
afterEach(() => farm[Symbol.asyncDispose]());

const posted = (body: unknown) => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

test("an operator has projects watched, by any spelling once, and watched no more", async () => {
  const as = await farm.token(["operate"], { name: "ops" });
  const names = ["Zope.Interface", "zope-interface", "six"];
  const added = await farm.ask("/watched", { as, ...posted({ names }) });
  expect(added.status).toBe(200);
  expect(await added.json()).toMatchObject({
    watched: [{ name: "six" }, { name: "zope-interface" }],
  });
  const removed = await farm.ask("/watched/SIX", { as, method: "DELETE" });
  expect(await removed.json()).toMatchObject({ watched: [{ name: "zope-interface" }] });
  expect((await farm.ask("/watched/six", { as, method: "DELETE" })).status).toBe(404);
  const everything = await farm.ask("/watched", { as, ...posted({ names: ["*"] }) });
  expect(await everything.json()).toMatchObject({
    watched: [{ name: "*" }, { name: "zope-interface" }],
  });
  const { records } = await farm.audit.list({ limit: 10 });
  expect(records.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual([
    "watch done",
    "watch failed",
    "watch done",
    "watch done",
  ]);
});

test("what is no name is told and nothing is watched; others than operators neither see nor change it", async () => {
  const as = await farm.token(["operate"]);
  for (const wrong of ["six==1.0", "../etc", "a b", "-x"]) {
    const answer = await farm.ask("/watched", { as, ...posted({ names: ["fine", wrong] }) });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("is no project's name");
  }
  const reader = await farm.token(["read-private", "enqueue", "worker"]);
  expect((await farm.ask("/watched", { as: reader })).status).toBe(403);
  expect((await farm.ask("/watched", { as: reader, ...posted({ names: ["six"] }) })).status).toBe(
    403,
  );
  expect((await farm.ask("/watched")).status).toBe(401);
  expect(await (await farm.ask("/watched", { as })).json()).toEqual({ watched: [] });
});
