import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";

/** The very same for an attempt that is not there and for one that is not theirs to know of. */
export function unknownAttempt(id: string): CreameryError {
  return new CreameryError("unknown-attempt", "the farm knows no such attempt", {
    input: clip(printableLine(id), 80),
    nextStep: "search for its project, or for the whole id",
  });
}
