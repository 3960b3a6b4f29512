import { createRoute, z, type OpenAPIHono } from "@hono/zod-openapi";

import type { Asked } from "../authenticate.ts";
import { ALWAYS, NOT_FOUND, OF_BODIES, ok, problemAnswer, Refused } from "./answers.ts";
import type { ApiDeps, ApiEnv } from "./api-deps.ts";
import { audited } from "./audited.ts";
import { isOperator, jobOf, seenJob } from "./job-view.ts";
import { principalId, requestsOf, sameId } from "./job-requests.ts";
import { jobKey } from "./jobs.ts";
import { jsonBody } from "./json-body.ts";
import { KeptAnswers } from "./kept-answers.ts";
import { EnqueueBody, EnqueuedJobs, Job } from "./schemas/queue.ts";

const add = createRoute({
  method: "post",
  path: "/jobs",
  operationId: "enqueue",
  tags: ["queue"],
  summary: "Have something tested",
  middleware: jsonBody,
  request: {
    headers: z.object({
      "idempotency-key": z
        .string()
        .regex(/^[\x21-\x7e]{1,200}$/u)
        .optional()
        .openapi({ description: "Made by who asks: the same again queues nothing more" }),
    }),
    body: { required: true, content: { "application/json": { schema: EnqueueBody } } },
  },
  responses: {
    ...ok(EnqueuedJobs, "What became of it"),
    ...NOT_FOUND,
    ...OF_BODIES,
    422: problemAnswer("The Idempotency-Key was used for another request"),
    ...ALWAYS,
  },
});

const CONFLICT = { 409: problemAnswer("The job is in no state for that") };

const cancel = createRoute({
  method: "post",
  path: "/jobs/{key}/cancel",
  operationId: "cancelJob",
  tags: ["queue"],
  summary: "End a job that waits or runs",
  request: { params: z.object({ key: jobKey }) },
  responses: { ...ok(Job, "The job as it is now"), ...NOT_FOUND, ...CONFLICT, ...ALWAYS },
});

const retry = createRoute({
  method: "post",
  path: "/jobs/{key}/retry",
  operationId: "retryJob",
  tags: ["queue"],
  summary: "Queue a dead or cancelled job again, as if it were new",
  request: { params: z.object({ key: jobKey }) },
  responses: { ...ok(Job, "The job as it is now"), ...NOT_FOUND, ...CONFLICT, ...ALWAYS },
});

export function jobActionRoutes(app: OpenAPIHono<ApiEnv>, deps: ApiDeps): void {
  const answers = new KeptAnswers<z.infer<typeof EnqueuedJobs>>(() => deps.nowMs());

  app.openapi(add, async (context) => {
    const body = context.req.valid("json");
    const key = context.req.valid("header")["idempotency-key"];
    const enqueue = () => enqueueJobs(context, deps, body, key);
    const answer =
      key === undefined
        ? await enqueue()
        : await answers.once(
            sameId([principalId(context), key]),
            sameId([JSON.stringify(body)]),
            enqueue,
          );
    return context.json(answer, 200);
  });

  app.openapi(cancel, async (context) => {
    const { key } = context.req.valid("param");
    await cancelJob(context, deps, key);
    return context.json(await changed(context, deps, key), 200);
  });

  app.openapi(retry, async (context) => {
    const { key } = context.req.valid("param");
    await retryJob(context, deps, key);
    return context.json(await changed(context, deps, key), 200);
  });
}

/** @param key as of `requestsOf`. @throws Refused, CreameryError as `requestsOf`. */
export async function enqueueJobs(
  context: Asked,
  deps: ApiDeps,
  body: Parameters<typeof requestsOf>[2],
  key?: string,
): Promise<z.infer<typeof EnqueuedJobs>> {
  const requests = await requestsOf(context, deps, body, key);
  const enqueued = await deps.queue.enqueue(requests);
  const jobs = enqueued.flatMap((one, place) =>
    one.jobs.map(({ readyMs, ...job }) => ({
      ...job,
      project: requests[place]?.project ?? "",
      readyAt: new Date(readyMs).toISOString(),
    })),
  );
  return { jobs };
}

/** @throws Refused 409 for one that is over, CreameryError `unknown-job`. */
export async function cancelJob(context: Asked, deps: ApiDeps, key: string): Promise<void> {
  await change(context, deps, key, () => deps.queue.cancel(key, `by ${nameOf(context)}`), {
    done: "cancelled",
    conflict: "it is over already",
  });
}

/** @throws Refused 409 for one that waits or runs, CreameryError `unknown-job`. */
export async function retryJob(context: Asked, deps: ApiDeps, key: string): Promise<void> {
  await change(context, deps, key, () => deps.queue.retry(key), {
    done: "queued again",
    conflict: "it is neither dead nor cancelled, or the same was asked for again meanwhile",
  });
}

async function changed(context: Asked, deps: ApiDeps, key: string): Promise<Job> {
  return jobOf(await seenJob(context, deps, key), isOperator(context, deps));
}

/** @throws Refused 409 where the queue says no. */
async function change(
  context: Asked,
  deps: ApiDeps,
  key: string,
  work: () => Promise<boolean>,
  words: { readonly done: string; readonly conflict: string },
): Promise<void> {
  const view = await seenJob(context, deps, key);
  const { project, visibility } = view;
  const on = { kind: "project", project, visibility } as const;
  await audited(context, deps, { action: "change-queue", on, subject: `job ${key}` }, async () => {
    if (!(await work())) throw new Refused({ status: 409, detail: words.conflict });
    return { answer: null, detail: `${view.project} ${view.configuration} ${words.done}` };
  });
  const after = await seenJob(context, deps, key);
  const { configuration, state, attempt } = after;
  deps.live.changed({ kind: "job", key, project, visibility, configuration, state, attempt });
}

function nameOf(context: Asked): string {
  const principal = context.get("principal");
  return principal.kind === "anonymous" ? "anonymous" : principal.name;
}
