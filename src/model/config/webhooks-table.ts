import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { Secret } from "../../base/secret.ts";
import { normaliseName } from "../../python/names.ts";
import { hostOf, parseRepositoryName, type RepositoryName } from "../repository-name.ts";
import { ProjectName } from "./project-table.ts";
import { readTable } from "./read-table.ts";

const DAY_MS = 86_400_000;
const KIB = 1024;

/** `[webhooks]` of creamery.toml. */
export const WebhooksTable = z.strictObject({
  secrets_file: z
    .string()
    .max(4096)
    .refine((text) => text.startsWith("/"), "is no absolute path")
    .optional(),
  /** For so long a delivery that comes again is known. */
  keep_days: z.number().int().min(1).max(365).optional(),
  body_kib: z.number().int().min(16).max(25_600).optional(),
});
export type WebhooksTable = z.infer<typeof WebhooksTable>;

export interface WebhookSettings {
  readonly secretsFile: string | null;
  readonly keepMs: number;
  readonly maxBodyBytes: number;
}

export function webhookSettings(table: WebhooksTable): WebhookSettings {
  return {
    secretsFile: table.secrets_file ?? null,
    keepMs: (table.keep_days ?? 30) * DAY_MS,
    maxBodyBytes: (table.body_kib ?? 1024) * KIB,
  };
}

const branchPattern = z
  .string()
  .max(200)
  .regex(/^[^\s~^:?[\\]+$/u, "is no branch's name, nor one with * in it");

/** What an operator's `[project.NAME]` says besides how it is tested; never a project's own `[tool.creamery]`. */
export const RepositoryTable = z.strictObject({
  repository: z
    .string()
    .max(1024)
    .refine(
      (text) => text.startsWith("https://") && parseRepositoryName(text) !== null,
      "is no https address of a repository, as https://git.example/owner/name (without user, password and query)",
    )
    .optional(),
  branches: z.array(branchPattern).max(64).optional(),
  tags: z.boolean().optional(),
});
export type RepositoryTable = z.infer<typeof RepositoryTable>;

const DEFAULT_BRANCHES = ["main", "master"] as const;

/** Where a project's code is, and which of its pushes are tested. */
export interface ConfiguredRepository {
  /** Normalised name. */
  readonly project: string;
  /** What is cloned: as the operator wrote it. */
  readonly url: string;
  readonly name: RepositoryName;
  /** Names of branches, `*` for any characters. */
  readonly branches: readonly string[];
  readonly tags: boolean;
}

/** @returns null when the table names no repository. */
export function configuredRepository(
  project: string,
  table: RepositoryTable,
): ConfiguredRepository | null {
  const name = table.repository === undefined ? null : parseRepositoryName(table.repository);
  if (table.repository === undefined || name === null) return null;
  return {
    project: normaliseName(project),
    url: table.repository,
    name,
    branches: table.branches ?? DEFAULT_BRANCHES,
    tags: table.tags ?? false,
  };
}

/** Shorter ones can be guessed from one delivery that was seen, without asking the farm. */
const SECRET_CHARS = { least: 16, most: 512 } as const;

const secrets = z.strictObject({
  /** Two while one takes the place of the other. */
  secrets: z
    .array(
      z
        .string()
        .min(SECRET_CHARS.least)
        .max(SECRET_CHARS.most)
        .regex(/^[\x21-\x7e]+$/u),
    )
    .min(1)
    .max(2),
});

const HookSecretsTable = z.strictObject({
  project: z.record(ProjectName, secrets).optional(),
  host: z.record(z.string().regex(/^[a-z0-9.-]{1,253}(?::\d{1,5})?$/u), secrets).optional(),
});

/** What is in the file that `webhooks.secrets_file` names. */
export interface HookSecrets {
  /** By normalised name. */
  readonly projects: ReadonlyMap<string, readonly Secret[]>;
  /** Of an organisation's or a whole forge's hooks, by host: good for the repositories of that host alone. */
  readonly hosts: ReadonlyMap<string, readonly Secret[]>;
}

export const NO_HOOK_SECRETS: HookSecrets = { projects: new Map(), hosts: new Map() };

/**
 * Reads the secrets' file.
 * @throws CreameryError `configuration-file` that names file and line, and nothing that stands in the file.
 */
export function parseHookSecrets(text: string, file: string): HookSecrets {
  const reading = readTable(text, HookSecretsTable);
  if (reading.kind === "bad")
    // Neither key nor reason: a secret in the wrong place would be in either.
    throw new CreameryError("configuration-file", `line ${reading.problem.line} is wrong`, {
      input: file,
      nextStep: `it holds [project.NAME] and [host."git.example"] tables, each with secrets = ["..."], one or two of ${SECRET_CHARS.least} to ${SECRET_CHARS.most} visible ASCII characters; see docs/webhooks.md`,
    });
  const { project = {}, host = {} } = reading.table;
  const hidden = (
    table: Readonly<Record<string, z.infer<typeof secrets>>>,
    name: (key: string) => string,
  ): Map<string, readonly Secret[]> =>
    new Map(
      Object.entries(table).map(([key, value]) => [
        name(key),
        value.secrets.map((secret) => new Secret(secret)),
      ]),
    );
  return { projects: hidden(project, normaliseName), hosts: hidden(host, (key) => key) };
}

/** A secret that a delivery may be signed with, and the host whose repositories it is good for. */
export interface HookSecret {
  readonly secret: Secret;
  readonly host: string;
}

/** Those of a hook whose address names a project: its own, and its host's. None for a project with no repository. */
export function secretsOfProject(
  { projects, hosts }: HookSecrets,
  repository: ConfiguredRepository | null,
): readonly HookSecret[] {
  if (repository === null) return [];
  const host = hostOf(repository.name);
  return [...(projects.get(repository.project) ?? []), ...(hosts.get(host) ?? [])].map(
    (secret) => ({ secret, host }),
  );
}

/** Those of a hook whose address names none. */
export function secretsOfHosts({ hosts }: HookSecrets): readonly HookSecret[] {
  return [...hosts].flatMap(([host, list]) => list.map((secret) => ({ secret, host })));
}
