import { CreameryError, type ErrorCode } from "../base/errors.ts";
import { errorOf } from "./fault.ts";
import { faultSchema } from "./protocol.ts";

/** What a child told as the last line of what it said. @param otherwise who has failed where that is no fault of ours. */
export function faultIn(words: string, code: ErrorCode, otherwise: string): CreameryError {
  const last = words.trim().split("\n").at(-1) ?? "";
  try {
    return errorOf(faultSchema.parse(JSON.parse(last)));
  } catch (cause) {
    return new CreameryError(code, `${otherwise} has failed`, {
      input: last.slice(0, 300),
      cause,
    });
  }
}
