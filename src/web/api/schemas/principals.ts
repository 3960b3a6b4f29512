import { z } from "zod";

import { ACTIONS } from "../../../model/authorise.ts";
import { PRINCIPAL_KINDS, SCOPES } from "../../../model/principals.ts";

const instant = z.string().describe("RFC 3339, UTC");

export const PrincipalJson = z
  .object({
    id: z.string(),
    kind: z.enum(PRINCIPAL_KINDS),
    name: z.string(),
    scopes: z.array(z.enum(SCOPES)),
    projects: z.array(z.string()).nullable().describe("That it is bound to; null for all"),
    createdAt: instant,
    createdBy: z.string().nullable(),
    expiresAt: instant.nullable(),
    revokedAt: instant.nullable(),
    lastUsedAt: instant.nullable(),
  })
  .meta({ id: "Principal" });
export type PrincipalJson = z.infer<typeof PrincipalJson>;

export const PrincipalList = z
  .object({ principals: z.array(PrincipalJson), next: z.string().nullable() })
  .meta({ id: "Principals" });

export const CreatePrincipalBody = z
  .strictObject({
    kind: z.enum(PRINCIPAL_KINDS),
    name: z
      .string()
      .trim()
      .min(1)
      .max(100)
      .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/u),
    scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length),
    projects: z.array(z.string().min(1).max(100)).min(1).max(1000).nullable().default(null),
    expiresAt: z.iso.datetime({ offset: true }).nullable().default(null),
  })
  .meta({ id: "CreatePrincipalBody" });
export type CreatePrincipalBody = z.input<typeof CreatePrincipalBody>;

export const CreatedPrincipal = z
  .object({
    principal: PrincipalJson,
    token: z.string().describe("Shown this once, and kept by nobody"),
  })
  .meta({ id: "CreatedPrincipal" });

export const AuditRecordJson = z
  .object({
    id: z.string(),
    at: instant,
    by: z.object({
      kind: z.enum([...PRINCIPAL_KINDS, "anonymous", "farm"]),
      id: z.string().nullable(),
      name: z.string(),
    }),
    action: z.enum(ACTIONS),
    subject: z.string(),
    outcome: z.enum(["done", "refused", "failed"]),
    detail: z.string(),
    address: z.string(),
  })
  .meta({ id: "AuditRecord" });
