/**
 * Of everything that tests choose at random: the same in each run, so that a commit that passed once passes again and a failure is
 * of what was changed. `npm run test:full` takes another each time and says which; `CREAMERY_TEST_SEED` makes that run's choices again.
 */
export const SEED = Number(process.env["CREAMERY_TEST_SEED"] ?? 20_141_104);
if (!Number.isSafeInteger(SEED))
  throw new Error(`CREAMERY_TEST_SEED=${process.env["CREAMERY_TEST_SEED"]}: not a whole number`);
