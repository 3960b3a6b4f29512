import { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import { PRINCIPAL_KINDS, SCOPES } from "../model/principals.ts";
import type { CreatePrincipalBody, PrincipalJson } from "../web/api/schemas/principals.ts";
import { FARM_OPTIONS, openRunningFarm } from "./farm/running-farm.ts";
import { agoText, renderTable } from "./table.ts";

export type TokenAction = "create" | "list" | "revoke";

const DAY_MS = 86_400_000;
const listOf = (text: string): string[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

const Options = z.object({
  ...FARM_OPTIONS,
  json: z.boolean().default(false),
  kind: z
    .enum(PRINCIPAL_KINDS, { error: `--kind is one of ${PRINCIPAL_KINDS.join(", ")}` })
    .default("program"),
  scopes: z
    .string()
    .default("")
    .transform(listOf)
    .pipe(z.array(z.enum(SCOPES, { error: `--scopes are of ${SCOPES.join(", ")}` }))),
  projects: z.string().transform(listOf).optional(),
  days: z.coerce
    .number("--days is a number")
    .positive("--days is more than 0")
    .max(3650, "--days is 3650 at most")
    .optional(),
});
type Options = z.infer<typeof Options>;

/**
 * `creamery token create|list|revoke`: who may do what with a farm that runs (docs/principals.md).
 * @returns the exit code. @throws CreameryError `no-farm`, `usage`, `unknown-principal`, and whatever the farm tells.
 */
export async function tokenCommand(
  action: TokenAction,
  word: string | undefined,
  given: unknown,
  signal: AbortSignal,
): Promise<number> {
  const options = tokenOptions(given);
  // Before anything is asked: what is wrong with the options is no farm's matter.
  const body = action === "create" ? principalBody(word ?? "", options, Date.now()) : null;
  using farm = await openRunningFarm(options, signal);
  switch (action) {
    case "create": {
      if (body === null) return 0;
      const made = await farm.createPrincipal(body);
      // The token alone on standard output: it can be written into a file as it is.
      if (options.json) say(JSON.stringify({ schema: 1, ...made }));
      else {
        process.stderr.write(
          `${made.principal.id}: shown this once; keep it where nobody reads it\n`,
        );
        say(made.token);
      }
      return 0;
    }
    case "list": {
      const principals = await farm.principals();
      if (options.json) say(JSON.stringify({ schema: 1, principals }));
      else process.stdout.write(principalsText(principals, Date.now()));
      return 0;
    }
    case "revoke": {
      const revoked = await farm.revoke(word ?? "");
      say(
        options.json
          ? JSON.stringify({ schema: 1, ...revoked })
          : `${revoked.id} is good for nothing more`,
      );
      return 0;
    }
  }
}

/** @throws CreameryError `usage`. */
export function tokenOptions(given: unknown): Options {
  const parsed = Options.safeParse(given ?? {});
  if (parsed.success) return parsed.data;
  throw usage(parsed.error.issues[0]?.message ?? "is no option of it");
}

/** @throws CreameryError `usage` where it would be good for nothing. */
export function principalBody(
  name: string,
  { kind, scopes, projects, days }: Options,
  nowMs: number,
): CreatePrincipalBody {
  const given = kind === "worker" && scopes.length === 0 ? (["worker"] as const) : scopes;
  if (given.length === 0) throw usage(`name what it is good for: --scopes of ${SCOPES.join(", ")}`);
  return {
    kind,
    name,
    scopes: [...given],
    projects: projects ?? null,
    expiresAt: days === undefined ? null : new Date(nowMs + days * DAY_MS).toISOString(),
  };
}

export function principalsText(principals: readonly PrincipalJson[], nowMs: number): string {
  if (principals.length === 0) return "There are none.\n";
  return renderTable(
    ["id", "kind", "name", "scopes", "projects", "last used", "state"],
    principals.map((one) => [
      one.id,
      one.kind,
      one.name,
      one.scopes.join(","),
      one.projects?.join(",") ?? "all",
      one.lastUsedAt === null ? "never" : agoText(one.lastUsedAt, nowMs),
      stateOf(one, nowMs),
    ]),
  );
}

function stateOf({ revokedAt, expiresAt }: PrincipalJson, nowMs: number): string {
  if (revokedAt !== null) return "revoked";
  if (expiresAt === null) return "good";
  return Date.parse(expiresAt) <= nowMs ? "expired" : `good, ends ${agoText(expiresAt, nowMs)}`;
}

function usage(reason: string): CreameryError {
  return new CreameryError("usage", reason, { nextStep: "see ./creamery token --help" });
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
