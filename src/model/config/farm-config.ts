import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { normaliseName } from "../../python/names.ts";
import { isConfigurationName } from "../configuration-name.ts";
import { AdmissionTable, RetestTable } from "./admission-table.ts";
import { bucketOf, BucketTable, RetentionTable, type BucketConfig } from "./bucket-table.ts";
import { IndexTable } from "./index-table.ts";
import { DEFAULT_LIMITS, LimitsTable, withLimits, type Limits } from "./limits.ts";
import {
  lacksRepository,
  NotifyTable,
  projectNotices,
  type ProjectNotices,
} from "./notify-table.ts";
import { LoginTable } from "./login-table.ts";
import { overrideOf, ProjectName, ProjectTable, type ProjectOverride } from "./project-table.ts";
import { formatProblem, readTable } from "./read-table.ts";
import {
  RepositoriesTable,
  repositoryLimits,
  type RepositoryLimits,
} from "./repositories-table.ts";
import { QueueTable, ServiceTable } from "./service-table.ts";
import { StoreTable } from "./store-table.ts";
import {
  configuredRepository,
  RepositoryTable,
  WebhooksTable,
  type ConfiguredRepository,
} from "./webhooks-table.ts";

const path = z.string().min(1).max(4096);
const absolute = path.refine((text) => text.startsWith("/"), "is no absolute path");
const address = z.string().min(1).max(2048);
const configurationName = z
  .string()
  .refine(isConfigurationName, "is no configuration's name, as cpython-3.13 or pypy-3.11");

const ISOLATION = ["vm", "gvisor", "container"] as const;
/** The weakest isolation that tests may run in. */
export type IsolationLevel = (typeof ISOLATION)[number];

/** What a file of the overrides' directory holds. */
const OverrideTable = ProjectTable.extend(RepositoryTable.shape).extend({
  /** Who may see it; what is released is public, what only this host has is private. */
  visibility: z.enum(["public", "private"]).optional(),
});

/** `[project.NAME]` */
const OperatorTable = OverrideTable.extend({
  /** Who is told when its verdict changes. */
  notify: NotifyTable.optional(),
}).superRefine(({ notify, repository }, context) => {
  const forge = lacksRepository(notify, repository);
  if (forge !== null)
    context.addIssue({
      code: "custom",
      path: ["notify", forge, "repository"],
      message: "is missing: the project's own table names none either",
    });
});

/** `creamery.toml`. */
export const FarmTable = z.strictObject({
  limits: LimitsTable.optional(),
  directories: z
    .strictObject({
      cache: absolute.optional(),
      data: absolute.optional(),
      run: absolute.optional(),
    })
    .optional(),
  upstreams: z
    .strictObject({
      index: address.optional(),
      extra: z.array(address).max(32).optional(),
      crates: address.optional(),
      cert: path.optional(),
      client_cert: path.optional(),
      proxy: address.optional(),
    })
    .optional(),
  repositories: RepositoriesTable.optional(),
  configurations: z
    .strictObject({ priority: z.array(configurationName).min(1).max(64).optional() })
    .optional(),
  isolation: z
    .strictObject({
      minimum: z.enum(ISOLATION).optional(),
      /** Whether a failure on gvisor may be run again on `container` before it is believed. */
      confirm: z.boolean().optional(),
    })
    .optional(),
  addresses: z
    .strictObject({ allow: z.array(z.string().min(1).max(255)).max(256).optional() })
    .optional(),
  bucket: BucketTable.optional(),
  retention: RetentionTable.optional(),
  index: IndexTable.optional(),
  store: StoreTable.optional(),
  /** A directory of `NAME.toml` files, each what `[project.NAME]` would hold; relative to this file. */
  overrides: z.strictObject({ directory: path.optional() }).optional(),
  project: z.record(ProjectName, OperatorTable).optional(),
  farm: ServiceTable.optional(),
  queue: QueueTable.optional(),
  webhooks: WebhooksTable.optional(),
  admission: AdmissionTable.optional(),
  retest: RetestTable.optional(),
  login: LoginTable.optional(),
});
export type FarmTable = z.infer<typeof FarmTable>;

export interface FarmConfig {
  readonly limits: Limits;
  /** Only what the file says; the environment and the defaults are the launcher's. */
  readonly directories: {
    readonly cache?: string | undefined;
    readonly data?: string | undefined;
    readonly run?: string | undefined;
  };
  /** Wins over what the host's own tools are configured for. */
  readonly upstreams: NonNullable<FarmTable["upstreams"]>;
  readonly repositories: RepositoryLimits;
  readonly priority: readonly string[];
  readonly isolation: { readonly minimum: IsolationLevel; readonly confirm: boolean };
  /** Hosts and networks that may be reached although they are private. */
  readonly allowedAddresses: readonly string[];
  readonly bucket: BucketConfig;
  /** What the file says; the rest is the bucket's own default. */
  readonly retention: RetentionTable;
  readonly index: IndexTable;
  readonly store: StoreTable;
  readonly overridesDirectory: string | null;
  /** By normalised name. */
  readonly projects: ReadonlyMap<string, OperatorOverride>;
  /** What the file says of the service, its queue and its webhooks (service-table.ts, webhooks-table.ts). */
  readonly service: ServiceTable;
  readonly queue: QueueTable;
  readonly webhooks: WebhooksTable;
  /** What is worth testing, and what is tested again (admission-table.ts). */
  readonly admission: AdmissionTable;
  readonly retest: RetestTable;
  /** Who logs in with a browser, besides by a token (login-table.ts). */
  readonly login: LoginTable;
}

/** What an operator says of one project: unlike the project itself, it may raise limits. */
export interface OperatorOverride {
  readonly plan: ProjectOverride | null;
  readonly limits: LimitsTable;
  /** Where its code is; null where nothing is said. */
  readonly repository: ConfiguredRepository | null;
  readonly visibility: "public" | "private" | null;
  /** Null where nobody is to be told of anything. */
  readonly notices: ProjectNotices | null;
}

/**
 * Reads `creamery.toml`.
 * @param file its path, for messages. @param priority from configurations.toml, used where the file says nothing.
 * @throws CreameryError `configuration-file` that names file, line, key and the nearest valid key.
 */
export function parseFarmConfig(
  text: string,
  file: string,
  priority: readonly string[],
): FarmConfig {
  const table = asTable(text, file, FarmTable);
  return {
    limits: withLimits(DEFAULT_LIMITS, table.limits ?? {}),
    directories: table.directories ?? {},
    upstreams: table.upstreams ?? {},
    repositories: repositoryLimits(table.repositories ?? {}),
    priority: table.configurations?.priority ?? priority,
    isolation: {
      minimum: table.isolation?.minimum ?? "container",
      confirm: table.isolation?.confirm ?? true,
    },
    allowedAddresses: table.addresses?.allow ?? [],
    bucket: bucketOf(table.bucket ?? {}),
    retention: table.retention ?? {},
    index: table.index ?? {},
    store: table.store ?? {},
    overridesDirectory: table.overrides?.directory ?? null,
    projects: new Map(
      Object.entries(table.project ?? {}).map(([name, project]) => [
        normaliseName(name),
        operatorOverride(normaliseName(name), project),
      ]),
    ),
    service: table.farm ?? {},
    queue: table.queue ?? {},
    webhooks: table.webhooks ?? {},
    admission: table.admission ?? {},
    retest: table.retest ?? {},
    login: table.login ?? {},
  };
}

/**
 * Reads `NAME.toml` of the overrides' directory.
 * @throws CreameryError `configuration-file`.
 */
export function parseOverrideFile(text: string, file: string, project: string): OperatorOverride {
  return operatorOverride(project, asTable(text, file, OverrideTable));
}

/** Limits of one project: the farm's, with the operator's own for it in place. */
export function limitsFor(config: FarmConfig, override: OperatorOverride | undefined): Limits {
  return override === undefined ? config.limits : withLimits(config.limits, override.limits);
}

const ConfigurationsTable = z.strictObject({ priority: z.array(configurationName).min(1).max(64) });

/**
 * Reads `configurations.toml`: which configurations have priority is data.
 * @throws CreameryError `configuration-file`.
 */
export function parseConfigurationsFile(text: string, file: string): readonly string[] {
  return asTable(text, file, ConfigurationsTable).priority;
}

function operatorOverride(
  project: string,
  table: z.infer<typeof OverrideTable> & { readonly notify?: NotifyTable | undefined },
): OperatorOverride {
  const repository = configuredRepository(project, table);
  return {
    plan: overrideOf(table),
    limits: table.limits ?? {},
    repository,
    visibility: table.visibility ?? null,
    notices: table.notify === undefined ? null : projectNotices(project, table.notify, repository),
  };
}

function asTable<Table>(text: string, file: string, schema: z.ZodType<Table>): Table {
  const reading = readTable(text, schema);
  if (reading.kind === "ok") return reading.table;
  const { problem } = reading;
  throw new CreameryError("configuration-file", formatProblem(problem), {
    input: file,
    nextStep:
      problem.nearest === undefined
        ? "see docs/configuration.md"
        : `did you mean ${problem.nearest}? see docs/configuration.md`,
  });
}
