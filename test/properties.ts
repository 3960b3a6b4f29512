import fc from "fast-check";

import { SEED } from "./seed.ts";

/** Properties: with CREAMERY_TEST_FULL ten times as many cases. */
const full = (process.env["CREAMERY_TEST_FULL"] ?? "") !== "";
fc.configureGlobal({ seed: SEED, ...(full ? { numRuns: 1000 } : {}) });

/** Of what anybody on the network can send: many more inputs than of another property. */
export const FUZZ = { numRuns: full ? 50_000 : 500 } as const;
/** For a test of so many inputs. */
export const FUZZ_TIMEOUT_MS = full ? 1_800_000 : 180_000;
