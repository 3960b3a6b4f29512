import { CreameryError, isErrorCode, reasonOf } from "../base/errors.ts";
import type { Fault } from "./protocol.ts";

const MAX_CHARS = 2000;

/** What is told of what was thrown. */
export function faultOf(thrown: unknown): Fault {
  if (!(thrown instanceof CreameryError))
    return { code: "launcher", reason: reasonOf(thrown).slice(0, MAX_CHARS) };
  return {
    code: thrown.code,
    reason: thrown.message.slice(0, MAX_CHARS),
    ...(thrown.input === undefined ? {} : { input: thrown.input }),
    ...(thrown.nextStep === undefined ? {} : { nextStep: thrown.nextStep }),
  };
}

/** What was told, to be thrown here. */
export function errorOf({ code, reason, input, nextStep }: Fault): CreameryError {
  return new CreameryError(isErrorCode(code) ? code : "launcher", reason, {
    ...(input === undefined ? {} : { input }),
    ...(nextStep === undefined ? {} : { nextStep }),
  });
}
