import { Hono, type Context } from "hono";
import { z } from "zod";

import { printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import type { Action } from "../model/authorise.ts";
import { FARM } from "../model/authorise.ts";
import type { Principal } from "../model/principals.ts";
import type { Coordinator } from "../worker/coordinator.ts";
import {
  ArriveBody,
  BaselineParams,
  baselineOf,
  BeatBody,
  FinishBody,
  type FarmJson,
  TellBody,
  finishOf,
  WishBody,
} from "../worker/wire.ts";
import { permit, refusal, type Authenticated } from "./authenticate.ts";
import { problemResponse } from "./problem.ts";
import { readBody } from "./read-body.ts";

export interface WorkerRoutesDeps {
  /** The farm for one host, and the process of it that speaks. */
  readonly coordinatorOf: (host: string, boot: string) => Coordinator;
  readonly nowMs: () => number;
  readonly farm: z.infer<typeof FarmJson>;
}

/** What came of a suite with thousands of failures, with room to spare. */
const MAX_FINISH_BYTES = 64 << 20;
const MAX_BODY_BYTES = 1 << 20;
const BODY_MS = 120_000;

/** The name of a worker's host: of two tokens that somebody gave one name each is a host of its own. */
export function hostNameOf({ name, id }: Principal): string {
  return `${name}.${id.slice(0, 6)}`;
}

/**
 * What a worker elsewhere says to its farm, below `/api/v1/worker/`: `farm`, `arrive`, `claim`, `heartbeat`, `attempts/ID/tell`, `attempts/ID/finish` and `baseline`.
 * Each has the worker's boot, so that one which another replaced hears of it.
 */
export function workerRoutes({
  coordinatorOf,
  nowMs,
  farm,
}: WorkerRoutesDeps): Hono<Authenticated> {
  const app = new Hono<Authenticated>();
  app.onError((thrown) => problemResponse(thrown));

  const handle =
    <Schema extends z.ZodType<{ boot: string }>>(
      action: Action,
      schema: Schema,
      maxBytes: number,
      answer: (
        body: z.infer<Schema>,
        coordinator: Coordinator,
        context: Context<Authenticated>,
      ) => Promise<object | null>,
    ) =>
    async (context: Context<Authenticated>): Promise<Response> => {
      const allowed = permit(context, action, FARM, nowMs());
      if (allowed.kind === "refused") return refusal(allowed);
      const principal = context.get("principal");
      if (principal.kind === "anonymous")
        return refusal({ kind: "refused", status: 401, reason: "this needs a token" });
      const body = parsed(schema, await jsonOf(context.req.raw, maxBytes));
      const coordinator = coordinatorOf(hostNameOf(principal), body.boot);
      return context.json(await answer(body, coordinator, context));
    };

  app.get("/farm", (context) => {
    const allowed = permit(context, "claim", FARM, nowMs());
    return allowed.kind === "refused" ? refusal(allowed) : context.json(farm);
  });
  app.post(
    "/arrive",
    handle("claim", ArriveBody, MAX_BODY_BYTES, (body, coordinator, { req }) =>
      coordinator.arrive(body, req.raw.signal),
    ),
  );
  app.post(
    "/claim",
    handle("claim", WishBody, MAX_BODY_BYTES, async (body, coordinator, { req }) => ({
      jobs: await coordinator.claim(body, req.raw.signal),
    })),
  );
  app.post(
    "/heartbeat",
    handle("heartbeat", BeatBody, MAX_BODY_BYTES, (body, coordinator, { req }) =>
      coordinator.heartbeat(body, req.raw.signal),
    ),
  );
  app.post(
    "/attempts/:attempt/finish",
    handle("finish", FinishBody, MAX_FINISH_BYTES, async ({ finish }, coordinator, { req }) => ({
      kind: await coordinator.finish(req.param("attempt") ?? "", finishOf(finish), req.raw.signal),
    })),
  );
  app.post(
    "/attempts/:attempt/tell",
    handle("finish", TellBody, MAX_BODY_BYTES, async ({ pieces }, coordinator, { req }) => {
      await coordinator.tell(req.param("attempt") ?? "", pieces, req.raw.signal);
      return {};
    }),
  );
  app.post(
    "/baseline",
    handle("finish", BaselineParams, MAX_BODY_BYTES, async (params, coordinator, { req }) => ({
      baseline: await coordinator.latestComparable(baselineOf(params), req.raw.signal),
    })),
  );
  return app;
}

/** @throws CreameryError `usage`, with where it is wrong. */
function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const reading = schema.safeParse(value);
  if (reading.success) return reading.data;
  const issue = reading.error.issues[0];
  throw new CreameryError("usage", issue?.message ?? "is not what is expected", {
    input: printableLine(issue?.path.map(String).join(".") ?? "").slice(0, 200),
    nextStep: "see that worker and farm are of one version",
  });
}

/** @throws CreameryError `usage`, `too-large`, `interrupted`. */
async function jsonOf(request: Request, maxBytes: number): Promise<unknown> {
  const reading = await readBody(request, { maxBytes, timeoutMs: BODY_MS });
  switch (reading.kind) {
    case "whole":
      break;
    case "too-large":
      throw new CreameryError("too-large", `is larger than ${maxBytes} bytes`, {
        input: "the request's body",
      });
    case "too-slow":
    case "broken":
      throw new CreameryError("interrupted", "did not come whole", { input: "the request's body" });
  }
  try {
    const value: unknown = JSON.parse(reading.bytes.toString("utf8"));
    return value;
  } catch (cause) {
    throw new CreameryError("usage", "is no JSON", { input: "the request's body", cause });
  }
}
