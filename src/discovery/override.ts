import { DEFAULT_LIMITS } from "../model/config/limits.ts";
import { readProjectTable } from "../model/config/project-table.ts";
import type { PlanOverride, RejectedRung } from "./plan.ts";
import type { ProjectView } from "./project-view.ts";
import type { CommandRung } from "./rung.ts";
import { understandWords, type TestCommand } from "./test-command.ts";

export interface OverrideReading {
  /** Its command as a rung that wins over every other; null where it names none. */
  readonly rung: CommandRung | null;
  /** For plans of the ladder, where no command is named. */
  readonly requirements: readonly string[] | null;
  readonly env: Readonly<Record<string, string>>;
  readonly rejected: readonly RejectedRung[];
}

const NONE: OverrideReading = { rung: null, requirements: null, env: {}, rejected: [] };

/** An operator's override, else the project's own `[tool.creamery]`. */
export function readOverride(project: ProjectView): OverrideReading {
  if (project.context.override !== undefined)
    return readingOf(project.context.override, "operator's override", project);
  const reading = readProjectTable(project.text("pyproject.toml") ?? "", DEFAULT_LIMITS);
  if (reading.problem !== null)
    return { ...NONE, rejected: [{ rung: "override", why: reading.problem }] };
  return reading.override === null
    ? NONE
    : readingOf(reading.override, "pyproject.toml [tool.creamery]", project);
}

function readingOf(override: PlanOverride, from: string, project: ProjectView): OverrideReading {
  const requirements = override.requirements ?? null;
  const env = override.env ?? {};
  if (override.command === undefined) return { rung: null, requirements, env, rejected: [] };
  const understood = understandWords(override.command, project, override.cwd ?? ".");
  // What is said outright is run as it is said, even where it is not understood.
  const command: TestCommand =
    understood.kind === "command"
      ? understood.command
      : {
          runner: override.command.some((word) => /^(?:.*\/)?(?:pytest|py\.test)$/u.test(word))
            ? "pytest"
            : "custom",
          argv: override.command,
          cwd: override.cwd ?? ".",
          env: {},
          needs: [],
          usesTree: true,
        };
  return {
    rung: { rung: "override", from, candidates: [{ command }], why: "" },
    requirements,
    env,
    rejected: [],
  };
}
