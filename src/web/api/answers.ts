import { z } from "@hono/zod-openapi";
import { HTTPException } from "hono/http-exception";
import type { ZodType } from "zod";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { problemOf } from "../../base/problem.ts";
import type { NotAllowed } from "../../model/authorise.ts";
import { refusal } from "../authenticate.ts";
import { problem, problemResponse, type Problem } from "../problem.ts";

/** What of a request ends it: an answer of its own, thrown from wherever it is known. */
export class Refused extends Error {
  readonly #response: () => Response;
  readonly status: number;

  constructor(told: Problem | NotAllowed) {
    super("kind" in told ? told.reason : told.detail);
    this.name = "Refused";
    this.status = told.status;
    this.#response = () => ("kind" in told ? refusal(told) : problem(told));
  }

  response(): Response {
    return this.#response();
  }
}

const MAX_CHARS = 500;

/** Whatever was thrown, as an answer. Of what the farm itself failed in, a stranger hears no more than that. */
export function faultAnswer(thrown: unknown, failed: (thrown: unknown) => void): Response {
  if (thrown instanceof Refused) return thrown.response();
  // Of the framework: a body that is no JSON.
  if (thrown instanceof HTTPException)
    return problem({
      status: thrown.status,
      detail: clip(printableLine(thrown.message), MAX_CHARS),
    });
  if (thrown instanceof CreameryError && problemOf(thrown).status < 500)
    return problemResponse(thrown);
  failed(thrown);
  return problemResponse(new Error("internal"), 500);
}

/** What does not fit its schema, as an answer that names the place. */
export function misfit(
  target: string,
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): Response {
  const [issue] = issues;
  const place = [target, ...(issue?.path ?? []).map(String)].join(".");
  const detail = clip(printableLine(`${place}: ${issue?.message ?? "does not fit"}`), MAX_CHARS);
  return problem({ status: 400, detail });
}

const ProblemAnswer = z
  .looseObject({
    type: z.literal("about:blank"),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe("Why, for a person"),
    code: z.string().optional().describe("Of the closed table of src/base/errors.ts"),
    input: z.string().optional(),
    nextStep: z.string().optional().describe("What to do now, for a person"),
  })
  .meta({ id: "Problem", description: "An error (RFC 9457)" });

/** An answer with JSON. */
export function ok<Schema extends ZodType>(schema: Schema, description: string) {
  return { 200: { description, content: { "application/json": { schema } } } };
}

export function problemAnswer(description: string) {
  return { description, content: { "application/problem+json": { schema: ProblemAnswer } } };
}

/** What any request can be answered. */
export const ALWAYS = {
  400: problemAnswer("A parameter is none, or a cursor is none of ours"),
  401: problemAnswer("A token is needed, or the one that was shown is not good"),
  403: problemAnswer("The token is not good for this"),
  429: problemAnswer("This address has shown too many tokens that are not good"),
};

export const NOT_FOUND = {
  404: problemAnswer("There is no such thing, or it is not yours to know of"),
};

export const NOT_MODIFIED = { 304: { description: "What `If-None-Match` names is what there is" } };

/** What a body can be answered. */
export const OF_BODIES = {
  408: problemAnswer("The body came too slowly"),
  413: problemAnswer("The body is too large"),
  415: problemAnswer("The body is no JSON by its content type"),
};
