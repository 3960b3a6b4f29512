import { CreameryError, reasonOf } from "../base/errors.ts";

/** What a database threw, as a fault with a next step. */
export function storeFault(thrown: unknown, path: string): CreameryError {
  if (thrown instanceof CreameryError) return thrown;
  const reason = reasonOf(thrown);
  if (/database or disk is full/.test(reason)) {
    return new CreameryError("disk-full", "no space for the results", {
      input: path,
      nextStep: "free some space, or set another data directory",
      cause: thrown,
    });
  }
  return new CreameryError("store", reason, {
    input: path,
    nextStep: "check that the file is readable and whole; moved away, a new one is made",
    cause: thrown,
  });
}
