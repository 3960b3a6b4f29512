import { z } from "zod";
import type { PlanOverride, RejectedRung } from "./plan.ts";
import type { ProjectView } from "./project-view.ts";
import type { CommandRung } from "./rung.ts";
import { understandWords, type TestCommand } from "./test-command.ts";
import { at } from "./toml-values.ts";

const bounded = z.string().max(4096);
/** `[tool.creamery]`: hostile like everything of a package; it can say how it is tested and nothing about limits. */
const toolCreamery = z.object({
  command: z.array(bounded).min(1).max(200).optional(),
  requirements: z.array(bounded).max(200).optional(),
  env: z
    .record(z.string().regex(/^(?!CREAMERY_|LD_|PYTHONHOME$|PATH$|HOME$)[A-Za-z_]\w*$/), bounded)
    .optional(),
  cwd: bounded
    .refine((path) => !path.startsWith("/") && !path.split("/").includes(".."))
    .optional(),
});

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
  const table = at(project.pyproject, "tool", "creamery");
  if (table === undefined) return NONE;
  const parsed = toolCreamery.safeParse(table);
  const from = "pyproject.toml [tool.creamery]";
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return {
      ...NONE,
      rejected: [
        {
          rung: "override",
          why: `${from} ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "is wrong"}`,
        },
      ],
    };
  }
  const { command, requirements, env, cwd } = parsed.data;
  return readingOf(
    {
      ...(command && { command }),
      ...(requirements && { requirements }),
      ...(env && { env }),
      ...(cwd !== undefined && { cwd }),
    },
    from,
    project,
  );
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
          runner: "custom",
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
