import { CreameryError } from "../base/errors.ts";

/** For a database whose schema is of a later version than this program's. */
export function newerSchema(label: string, version: number): CreameryError {
  return new CreameryError("store", `schema ${version} was written by a newer Creamery`, {
    input: label,
    nextStep: "use that version, or another data directory",
  });
}
