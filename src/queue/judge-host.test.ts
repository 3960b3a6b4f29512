import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { chanceOfAtLeast, judgeHost } from "./judge-host.ts";

const record = (host: string, faults: number, finishes: number) => ({ host, faults, finishes });

describe("the chance of so many faults", () => {
  test.each([
    [0, 10, 0.3, 1],
    [10, 10, 0.5, 0.5 ** 10],
    [1, 2, 0.5, 0.75],
    // 1 - the sum of the first three terms of Binomial(20, 0.05), by hand.
    [3, 20, 0.05, 0.0754837],
    [1, 5000, 0.5, 1],
  ])("of at least %i in %i, each by %f, is %f", (k, n, p, expected) => {
    expect(chanceOfAtLeast(k, n, p)).toBeCloseTo(expected, 6);
  });

  test("grows with each one's chance and falls with how many there are", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 0, max: 60 }),
        fc.double({ min: 0.01, max: 0.9, noNaN: true }),
        (n, k, p) => {
          expect(chanceOfAtLeast(k, n, p)).toBeGreaterThanOrEqual(chanceOfAtLeast(k + 1, n, p));
          expect(chanceOfAtLeast(k, n, p)).toBeLessThanOrEqual(
            chanceOfAtLeast(k, n, p + 0.05) + 1e-9,
          );
        },
      ),
    );
  });
});

describe("a host is judged by its faults", () => {
  test("and leaves where it fails and the others do not", () => {
    expect(judgeHost(record("bad", 6, 20), [record("a", 0, 50), record("b", 1, 50)])).toBe(
      "6 of its last 20 jobs ended by the farm's own fault, and 1 of the other hosts' last 100",
    );
  });

  test("not by few of them, however bad the share", () => {
    expect(judgeHost(record("new", 4, 4), [record("a", 0, 1000)])).toBeNull();
  });

  test("not where all fail alike: that is an image, or an upstream", () => {
    expect(judgeHost(record("a", 40, 50), [record("b", 41, 50), record("c", 38, 50)])).toBeNull();
  });

  test("not by what chance brings", () => {
    expect(judgeHost(record("a", 5, 50), [record("b", 3, 50), record("c", 2, 50)])).toBeNull();
  });

  test("alone, only where nearly all of enough fails", () => {
    expect(judgeHost(record("only", 12, 12), [])).toMatch(/no other host/u);
    expect(judgeHost(record("only", 11, 11), [])).toBeNull();
    expect(judgeHost(record("only", 20, 40), [])).toBeNull();
    expect(judgeHost(record("only", 12, 12), [record("new", 0, 19)])).not.toBeNull();
  });

  test("hosts as good as each other nearly never lose one", () => {
    // All 50 of two hosts' ends for each of what chance may bring: the share of the true rate that is taken out is small.
    for (const rate of [0.02, 0.1, 0.3]) {
      let wrong = 0;
      for (let faults = 0; faults <= 50; faults++) {
        const usual = record("b", Math.round(rate * 500), 500);
        if (judgeHost(record("a", faults, 50), [usual]) !== null)
          wrong += chanceOfAtLeast(faults, 50, rate) - chanceOfAtLeast(faults + 1, 50, rate);
      }
      expect(wrong).toBeLessThan(0.001);
    }
  });
});
