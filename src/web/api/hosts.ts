import { createRoute, z, type OpenAPIHono } from "@hono/zod-openapi";

import { CreameryError } from "../../base/errors.ts";
import { clip, printableLine } from "../../base/bounded-text.ts";
import { FARM } from "../../model/authorise.ts";
import type { Host as KnownHost } from "../../queue/hosts.ts";
import type { Asked } from "../authenticate.ts";
import { ALWAYS, NOT_FOUND, NOT_MODIFIED, OF_BODIES, ok } from "./answers.ts";
import type { ApiDeps, ApiEnv } from "./api-deps.ts";
import { audited } from "./audited.ts";
import { whileItIsSo } from "./conditional.ts";
import { jsonBody } from "./json-body.ts";
import { DrainBody, Host, HostList } from "./schemas/queue.ts";
import { mustSeeFarm } from "./sight.ts";

const name = z.string().min(1).max(200).openapi({ description: "Of a host" });

const list = createRoute({
  method: "get",
  path: "/hosts",
  operationId: "listHosts",
  tags: ["operators"],
  summary: "The hosts that take jobs",
  middleware: whileItIsSo,
  responses: { ...ok(HostList, "All of them"), ...NOT_MODIFIED, ...ALWAYS },
});

const drain = createRoute({
  method: "post",
  path: "/hosts/{name}/drain",
  operationId: "drainHost",
  tags: ["operators"],
  summary: "Let a host end what it runs, and give it nothing more",
  middleware: jsonBody,
  request: {
    params: z.object({ name }),
    body: { required: true, content: { "application/json": { schema: DrainBody } } },
  },
  responses: { ...ok(Host, "The host as it is now"), ...NOT_FOUND, ...OF_BODIES, ...ALWAYS },
});

const resume = createRoute({
  method: "post",
  path: "/hosts/{name}/resume",
  operationId: "resumeHost",
  tags: ["operators"],
  summary: "Give a host jobs again",
  request: { params: z.object({ name }) },
  responses: { ...ok(Host, "The host as it is now"), ...NOT_FOUND, ...ALWAYS },
});

export function hostRoutes(app: OpenAPIHono<ApiEnv>, deps: ApiDeps): void {
  app.openapi(list, async (context) => {
    mustSeeFarm(context, deps);
    return context.json({ hosts: (await deps.hosts.all()).map(hostOf) }, 200);
  });

  app.openapi(drain, async (context) => {
    const { name: host } = context.req.valid("param");
    const { reason } = context.req.valid("json");
    return context.json(await drainHost(context, deps, host, reason), 200);
  });

  app.openapi(resume, async (context) => {
    const { name: host } = context.req.valid("param");
    return context.json(await resumeHost(context, deps, host), 200);
  });
}

/** @throws Refused, CreameryError `unknown-host`. */
export async function drainHost(
  context: Asked,
  deps: ApiDeps,
  host: string,
  reason = "an operator drains it",
): Promise<Host> {
  const deed = { action: "drain", on: FARM, subject: `host ${host}` } as const;
  return await audited(context, deps, deed, async () => ({
    answer: await setState(deps, host, "draining", clip(printableLine(reason), 200)),
    detail: `draining: ${reason}`,
  }));
}

/** @throws Refused, CreameryError `unknown-host`. */
export async function resumeHost(context: Asked, deps: ApiDeps, host: string): Promise<Host> {
  const deed = { action: "drain", on: FARM, subject: `host ${host}` } as const;
  return await audited(context, deps, deed, async () => ({
    answer: await setState(deps, host, "active", null),
    detail: "takes jobs again",
  }));
}

/** @throws CreameryError `unknown-host`. */
async function setState(
  { hosts }: Pick<ApiDeps, "hosts">,
  given: string,
  state: "active" | "draining",
  reason: string | null,
): Promise<Host> {
  const isThere = !given.includes("\0") && (await hosts.setState(given, state, reason));
  const host = isThere ? await hosts.byName(given) : null;
  if (host !== null) return hostOf(host);
  throw new CreameryError("unknown-host", "no such host has ever taken jobs here", {
    input: clip(printableLine(given), 100),
    nextStep: "`creamery status` shows those that have",
  });
}

function hostOf({ name: known, state, reason, slots, seenMs, facts }: KnownHost): Host {
  const { running, version, machine, image, cores, memoryFreeBytes, diskFreeBytes } = facts;
  return {
    name: known,
    state,
    reason,
    slots,
    running,
    seenAt: new Date(seenMs).toISOString(),
    version,
    machine,
    image,
    cores,
    memoryFreeBytes,
    diskFreeBytes,
  };
}
