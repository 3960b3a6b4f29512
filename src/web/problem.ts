import { STATUS_CODES } from "node:http";

import type { ErrorCode } from "../base/errors.ts";
import { problemOf, PROBLEM_TYPE } from "../base/problem.ts";

export interface Problem {
  readonly status: number;
  /** Why, and what to do; for a person. */
  readonly detail: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An error as RFC 9457 has it: the kind is the status itself. */
export function problem({ status, detail, headers = {} }: Problem): Response {
  return answer({ status, detail, code: codeOf(status) }, headers);
}

/** For programs of ours that throw what they are told. */
function codeOf(status: number): ErrorCode {
  if (status === 401 || status === 403 || status === 429) return "farm-refused";
  if (status === 413) return "too-large";
  return status < 500 ? "usage" : "internal";
}

/** A fault as such an error, with its code, input and next step. @param status where the route knows better than the code does. */
export function problemResponse(thrown: unknown, status?: number): Response {
  return answer(problemOf(thrown, status), {});
}

function answer(
  told: { readonly status: number; readonly detail: string; readonly code: ErrorCode },
  headers: Readonly<Record<string, string>>,
): Response {
  const title = STATUS_CODES[told.status] ?? "Error";
  return new Response(`${JSON.stringify({ type: "about:blank", ...told, title })}\n`, {
    status: told.status,
    headers: { "content-type": PROBLEM_TYPE, "cache-control": "no-store", ...headers },
  });
}
