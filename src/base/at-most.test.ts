import { expect, test } from "vitest";

import { atMost } from "./at-most.ts";

test("so many run at a time, the others in their order, and one that fails keeps no place", async () => {
  const limited = atMost(2);
  const begun: number[] = [];
  const works = Array.from({ length: 5 }, () => Promise.withResolvers<number>());
  const done = works.map(({ promise }, at) =>
    limited(() => {
      begun.push(at);
      return promise;
    }),
  );
  const settled = Promise.allSettled(done);
  await Promise.resolve();
  expect(begun).toEqual([0, 1]);
  works[1]?.reject(new Error("no"));
  await expect(done[1]).rejects.toThrow("no");
  expect(begun).toEqual([0, 1, 2]);
  for (const [at, { resolve }] of works.entries()) resolve(at);
  await settled;
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  expect(await limited(async () => 7)).toBe(7);
});
