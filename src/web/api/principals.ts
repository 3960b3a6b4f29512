import { createRoute, z, type OpenAPIHono } from "@hono/zod-openapi";

import { CreameryError } from "../../base/errors.ts";
import { clip, printableLine } from "../../base/bounded-text.ts";
import { FARM } from "../../model/authorise.ts";
import type { Principal } from "../../model/principals.ts";
import { newToken } from "../../model/token.ts";
import { isName, normaliseName } from "../../python/names.ts";
import { ALWAYS, NOT_FOUND, OF_BODIES, ok } from "./answers.ts";
import type { ApiDeps, ApiEnv } from "./api-deps.ts";
import { audited } from "./audited.ts";
import { NEXT, PAGE, cursorOf, readCursor } from "./cursors.ts";
import { principalId } from "./job-requests.ts";
import { jsonBody } from "./json-body.ts";
import {
  AuditRecordJson,
  CreatedPrincipal,
  CreatePrincipalBody,
  PrincipalJson,
  PrincipalList,
} from "./schemas/principals.ts";
import { mustBeAllowed } from "./sight.ts";

const list = createRoute({
  method: "get",
  path: "/principals",
  operationId: "listPrincipals",
  tags: ["operators"],
  summary: "Who may do what, by their tokens' ids",
  request: { query: z.strictObject(PAGE) },
  responses: { ...ok(PrincipalList, "A page of principals"), ...ALWAYS },
});

const create = createRoute({
  method: "post",
  path: "/principals",
  operationId: "createPrincipal",
  tags: ["operators"],
  summary: "Make a principal, and its token",
  middleware: jsonBody,
  request: {
    body: { required: true, content: { "application/json": { schema: CreatePrincipalBody } } },
  },
  responses: { ...ok(CreatedPrincipal, "The token is shown this once"), ...OF_BODIES, ...ALWAYS },
});

const revoke = createRoute({
  method: "post",
  path: "/principals/{id}/revoke",
  operationId: "revokePrincipal",
  tags: ["operators"],
  summary: "Make a token good for nothing, for good",
  request: { params: z.object({ id: z.string().min(1).max(64) }) },
  responses: { ...ok(PrincipalJson, "As it is now"), ...NOT_FOUND, ...ALWAYS },
});

const record = createRoute({
  method: "get",
  path: "/audit",
  operationId: "listAudit",
  tags: ["operators"],
  summary: "What operators did, and what they were refused, newest first",
  request: { query: z.strictObject(PAGE) },
  responses: {
    ...ok(z.object({ records: z.array(AuditRecordJson), next: NEXT }), "A page of the record"),
    ...ALWAYS,
  },
});

export function principalRoutes(app: OpenAPIHono<ApiEnv>, deps: ApiDeps): void {
  const { principals } = deps;

  app.openapi(list, async (context) => {
    mustBeAllowed(context, "manage-principals", FARM, deps);
    const { limit, cursor } = context.req.valid("query");
    const after = readCursor("principals", cursor);
    const page = await principals.list({ limit, ...(after === undefined ? {} : { after }) });
    const next = page.after === null ? null : cursorOf("principals", page.after);
    return context.json({ principals: page.principals.map(principalOf), next }, 200);
  });

  app.openapi(create, async (context) => {
    const body = context.req.valid("json");
    const token = newToken(body.kind);
    const deed = {
      action: "manage-principals",
      on: FARM,
      subject: `principal ${token.id}`,
    } as const;
    const principal = await audited(context, deps, deed, async () => {
      const nowMs = deps.nowMs();
      const made = await principals.create(
        {
          kind: body.kind,
          name: body.name,
          scopes: scopesOf(body),
          projects: projectsOf(body.projects),
          createdAtMs: nowMs,
          createdBy: principalId(context),
          expiresAtMs: expiryOf(body.expiresAt, nowMs),
        },
        token,
      );
      const { kind, name, scopes } = made;
      return { answer: made, detail: `made ${kind} "${name}" with ${scopes.join(", ")}` };
    });
    context.header("cache-control", "no-store");
    return context.json({ principal: principalOf(principal), token: token.text }, 200);
  });

  app.openapi(revoke, async (context) => {
    const { id } = context.req.valid("param");
    const deed = { action: "manage-principals", on: FARM, subject: `principal ${id}` } as const;
    const answer = await audited(context, deps, deed, async () => {
      const isThere = /^[0-9a-z]+$/u.test(id) && (await principals.revoke(id, deps.nowMs()));
      const revoked = isThere ? await principals.find(id) : null;
      if (revoked !== null) return { answer: revoked, detail: `revoked "${revoked.name}"` };
      throw new CreameryError("unknown-principal", "there is no principal with this id", {
        input: clip(printableLine(id), 64),
        nextStep: "`creamery token list` shows them",
      });
    });
    return context.json(principalOf(answer), 200);
  });

  app.openapi(record, async (context) => {
    mustBeAllowed(context, "see-audit", FARM, deps);
    const { limit, cursor } = context.req.valid("query");
    const before = readCursor("audit", cursor);
    const page = await deps.audit.list({ limit, ...(before === undefined ? {} : { before }) });
    const records = page.records.map(({ atMs, ...told }) => ({
      ...told,
      at: new Date(atMs).toISOString(),
    }));
    const next = page.before === null ? null : cursorOf("audit", page.before);
    return context.json({ records, next }, 200);
  });
}

/** A worker's token is good for a worker's work and nothing else, and a person's is not good for that. */
function scopesOf({ kind, scopes }: z.infer<typeof CreatePrincipalBody>): Principal["scopes"] {
  const unique = [...new Set(scopes)];
  const isWorker = kind === "worker";
  if (isWorker ? unique.every((scope) => scope === "worker") : !unique.includes("worker"))
    return unique;
  throw new CreameryError(
    "usage",
    isWorker
      ? "a worker has the scope worker and no other"
      : "the scope worker is for principals of the kind worker",
    { input: unique.join(","), nextStep: "make one principal for each purpose" },
  );
}

function projectsOf(given: readonly string[] | null): readonly string[] | null {
  if (given === null) return null;
  const bad = given.find((name) => !isName(name));
  if (bad === undefined) return [...new Set(given.map(normaliseName))];
  throw new CreameryError("usage", "is no project's name", {
    input: clip(printableLine(bad), 100),
  });
}

function expiryOf(given: string | null, nowMs: number): number | null {
  if (given === null) return null;
  const atMs = Date.parse(given);
  if (atMs > nowMs) return atMs;
  throw new CreameryError("usage", "is no instant to come", { input: given });
}

const instantOf = (ms: number | null): string | null =>
  ms === null ? null : new Date(ms).toISOString();

function principalOf(principal: Principal): PrincipalJson {
  const { id, kind, name, scopes, projects, createdAtMs, createdBy } = principal;
  return {
    id,
    kind,
    name,
    scopes: [...scopes],
    projects: projects === null ? null : [...projects],
    createdAt: new Date(createdAtMs).toISOString(),
    createdBy,
    expiresAt: instantOf(principal.expiresAtMs),
    revokedAt: instantOf(principal.revokedAtMs),
    lastUsedAt: instantOf(principal.lastUsedAtMs),
  };
}
