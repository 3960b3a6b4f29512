import fc from "fast-check";

/** Properties: with CREAMERY_TEST_SEED the same cases again, with CREAMERY_TEST_FULL ten times as many. */
const seed = process.env["CREAMERY_TEST_SEED"];
const full = (process.env["CREAMERY_TEST_FULL"] ?? "") !== "";
fc.configureGlobal({
  ...(seed === undefined ? {} : { seed: Number(seed) }),
  ...(full ? { numRuns: 1000 } : {}),
});
