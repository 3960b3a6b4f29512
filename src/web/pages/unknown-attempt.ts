import type { CreameryError } from "../../base/errors.ts";
import { unknownAttempt as unknownTo } from "../api/attempts.ts";

/** The very same for an attempt that is not there and for one that is not theirs to know of. */
export function unknownAttempt(id: string): CreameryError {
  return unknownTo(id, "search for its project, or for the whole id");
}
