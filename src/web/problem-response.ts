import { problemOf, PROBLEM_TYPE } from "../base/problem.ts";

/** A fault as an answer (RFC 9457). @param status where the route knows better than the code does. */
export function problemResponse(thrown: unknown, status?: number): Response {
  const problem = problemOf(thrown, status);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { "content-type": PROBLEM_TYPE },
  });
}
