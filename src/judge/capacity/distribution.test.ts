import { expect, test } from "vitest";

import { distributionOf } from "./distribution.ts";

test("a percentile is a value that was measured: the smallest with so many at or below it", () => {
  const oneToTen = Array.from({ length: 10 }, (_, index) => 10 - index);
  expect(distributionOf(oneToTen)).toEqual({
    count: 10,
    mean: 5.5,
    median: 5,
    p90: 9,
    p99: 10,
    max: 10,
  });
  expect(distributionOf([3, 1, 2])).toMatchObject({ mean: 2, median: 2, p90: 3 });
});

test("of one value all is that value, of none all is 0", () => {
  expect(distributionOf([7])).toEqual({ count: 1, mean: 7, median: 7, p90: 7, p99: 7, max: 7 });
  expect(distributionOf([])).toEqual({ count: 0, mean: 0, median: 0, p90: 0, p99: 0, max: 0 });
});
