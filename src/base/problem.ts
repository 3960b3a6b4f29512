import { z } from "zod";

import { printableLine } from "./bounded-text.ts";
import { CreameryError, isErrorCode, type ErrorCode } from "./errors.ts";

/** A fault that one part of the farm tells another over HTTP: RFC 9457, with this farm's own members beside `detail`. */

export const PROBLEM_TYPE = "application/problem+json";

const MAX_CHARS = 2000;

export interface ProblemJson {
  readonly status: number;
  /** Why it failed, one line, without the next step. */
  readonly detail: string;
  readonly code: ErrorCode;
  readonly input?: string;
  readonly nextStep?: string;
}

const Told = z.looseObject({
  detail: z.string().optional(),
  code: z.string().optional(),
  input: z.string().optional(),
  nextStep: z.string().optional(),
});

/** Statuses of codes; whatever is not here is 400 where the input is at fault, and 500 else. */
const STATUSES: Partial<Record<ErrorCode, number>> = {
  "unknown-image": 404,
  "unknown-attempt": 404,
  "unknown-project": 404,
  "unknown-version": 404,
  "unknown-job": 404,
  "unknown-host": 404,
  "unknown-principal": 404,
  "too-large": 413,
  "farm-refused": 403,
  "no-network": 502,
  upstream: 502,
  "upstream-hash": 502,
  deadline: 504,
  interrupted: 503,
  "disk-full": 507,
  // It may be back in a moment.
  store: 503,
};

const INPUT_STATUS = 400;
const FARM_STATUS = 500;

/** @param status where the route knows better than the code does. */
export function problemOf(thrown: unknown, status?: number): ProblemJson {
  // What is no fault of the table can hold anything: its words stay here.
  const fault =
    thrown instanceof CreameryError
      ? thrown
      : new CreameryError("internal", "the farm has failed; its log says how");
  const usual = fault.exitCode === 2 ? INPUT_STATUS : FARM_STATUS;
  return {
    status: status ?? STATUSES[fault.code] ?? usual,
    detail: printableLine(fault.message).slice(0, MAX_CHARS),
    code: fault.code,
    ...(fault.input === undefined ? {} : { input: fault.input.slice(0, MAX_CHARS) }),
    ...(fault.nextStep === undefined ? {} : { nextStep: fault.nextStep.slice(0, MAX_CHARS) }),
  };
}

/** What was told, to be thrown here; null when it is no problem that names one of our codes. */
export function errorOfProblem(
  contentType: string | undefined,
  body: string,
): CreameryError | null {
  if (!isProblem(contentType)) return null;
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return null;
  }
  const told = Told.safeParse(value);
  if (!told.success || told.data.code === undefined || !isErrorCode(told.data.code)) return null;
  const { code, detail = "the farm gives no reason", input, nextStep } = told.data;
  const line = (text: string): string => printableLine(text).slice(0, MAX_CHARS);
  return new CreameryError(code, line(detail), {
    ...(input === undefined ? {} : { input: line(input) }),
    ...(nextStep === undefined ? {} : { nextStep: line(nextStep) }),
  });
}

export function isProblem(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/problem\+json\b/iu.test(contentType);
}
