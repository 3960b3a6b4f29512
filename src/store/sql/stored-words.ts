import { z } from "zod";

import { OUTCOMES } from "../../model/attempt.ts";
import { VISIBILITIES } from "../../model/principals.ts";
import { JOB_REASONS } from "../store.ts";

/**
 * Words as they lie in rows, checked when they are read. Made once: making a schema takes twenty times as long as asking it, and
 * they are asked for each row.
 */
export const AVisibility = z.enum(VISIBILITIES);
export const AReason = z.enum(JOB_REASONS);
export const AnOutcome = z.enum(OUTCOMES);
