import { z } from "zod";

import { isName } from "../../python/names.ts";
import { parseRequirement } from "../../python/requirements.ts";
import { LimitsTable, lowerLimits, withLimits, type Limits } from "./limits.ts";
import { formatProblem, readTable } from "./read-table.ts";

const word = z
  .string()
  .min(1)
  .max(4096)
  .refine((text) => !text.includes("\0"), "holds a NUL");

/** Names that would reach past the tests: what the farm itself sets for a process. */
const FARMS_OWN = /^(?:CREAMERY_|LD_|UV_|PIP_|PYTHONHOME$|PATH$|HOME$|VIRTUAL_ENV$)/;

const environment = z
  .record(z.string(), z.string().max(4096))
  .refine((env) => Object.keys(env).length <= 64, "has more than 64 variables")
  .refine(
    (env) => Object.keys(env).every((name) => /^[A-Za-z_]\w{0,99}$/.test(name)),
    "has a name that no variable can have",
  )
  .refine(
    (env) => Object.keys(env).every((name) => !FARMS_OWN.test(name)),
    "sets a variable that is the farm's to set",
  );

/** How a project is tested: `[tool.creamery]` of its own, or an operator's `[project.NAME]`. */
export const ProjectTable = z.strictObject({
  command: z.array(word).min(1).max(200).optional(),
  requirements: z
    .array(word)
    .max(200)
    .refine(
      (list) => list.every((text) => parseRequirement(text) !== null),
      "holds what is no requirement (PEP 508)",
    )
    .optional(),
  env: environment.optional(),
  cwd: word
    .refine(
      (path) => !path.startsWith("/") && !path.split("/").includes(".."),
      "leads out of the tree",
    )
    .optional(),
  limits: LimitsTable.optional(),
});
export type ProjectTable = z.infer<typeof ProjectTable>;

/** A plan's override as discovery takes it. */
export interface ProjectOverride {
  readonly command?: readonly string[];
  readonly requirements?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface ProjectReading {
  readonly override: ProjectOverride | null;
  readonly limits: Limits;
  /** `pyproject.toml line 3: tool.creamery.comand: unknown key; did you mean command?`: then nothing of the table counts. */
  readonly problem: string | null;
}

/**
 * `[tool.creamery]` of a project's own pyproject.toml: hostile. It may say how the project is tested and
 * lower limits; it never raises one. A table that is wrong is passed over, and says why.
 */
export function readProjectTable(pyproject: string, allowed: Limits): ProjectReading {
  const reading = readTable(pyproject, ProjectTable, ["tool", "creamery"]);
  if (reading.kind === "bad") {
    const { problem } = reading;
    const near = problem.nearest === undefined ? "" : `; did you mean ${problem.nearest}?`;
    return {
      override: null,
      limits: allowed,
      problem: `pyproject.toml ${formatProblem(problem)}${near}`,
    };
  }
  const { limits = {} } = reading.table;
  return {
    override: overrideOf(reading.table),
    limits: lowerLimits(allowed, withLimits(allowed, limits)),
    problem: null,
  };
}

/** What a table says of the plan; null when it says nothing of it. */
export function overrideOf({
  command,
  requirements,
  env,
  cwd,
}: ProjectTable): ProjectOverride | null {
  if (command === undefined && requirements === undefined && env === undefined && cwd === undefined)
    return null;
  return {
    ...(command === undefined ? {} : { command }),
    ...(requirements === undefined ? {} : { requirements }),
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
  };
}

/** For `[project.NAME]`. */
export const ProjectName = z.string().refine(isName, "is no project's name");
