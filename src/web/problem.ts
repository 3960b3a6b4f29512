import { STATUS_CODES } from "node:http";

import { problemOf, PROBLEM_TYPE } from "../base/problem.ts";

export interface Problem {
  readonly status: number;
  /** Why, and what to do; for a person. */
  readonly detail: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An error as RFC 9457 has it: the kind is the status itself. */
export function problem({ status, detail, headers = {} }: Problem): Response {
  return answer({ status, detail }, headers);
}

/** A fault as such an error, with its code, input and next step. @param status where the route knows better than the code does. */
export function problemResponse(thrown: unknown, status?: number): Response {
  return answer(problemOf(thrown, status), {});
}

function answer(
  told: { readonly status: number; readonly detail: string },
  headers: Readonly<Record<string, string>>,
): Response {
  const title = STATUS_CODES[told.status] ?? "Error";
  return new Response(`${JSON.stringify({ type: "about:blank", ...told, title })}\n`, {
    status: told.status,
    headers: { "content-type": PROBLEM_TYPE, "cache-control": "no-store", ...headers },
  });
}
