import { z } from "zod";
import type { PlanOverride } from "./plan.ts";
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

/** An operator's override, else the project's own `[tool.creamery]`; null where there is neither. */
export function readOverride(project: ProjectView): CommandRung | null {
  if (project.context.override !== undefined)
    return rungOf(project.context.override, "operator's override", project);
  const table = at(project.pyproject, "tool", "creamery");
  if (table === undefined) return null;
  const parsed = toolCreamery.safeParse(table);
  const from = "pyproject.toml [tool.creamery]";
  if (!parsed.success)
    return {
      rung: "override",
      from,
      candidates: [],
      why: `${from}: ${parsed.error.issues[0]?.path.join(".") ?? ""} ${parsed.error.issues[0]?.message ?? "is wrong"}`,
    };
  const { command, requirements, env, cwd } = parsed.data;
  return rungOf(
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

function rungOf(override: PlanOverride, from: string, project: ProjectView): CommandRung {
  if (override.command === undefined)
    return { rung: "override", from, candidates: [], why: `${from} names no command` };
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
  const declared =
    override.requirements === undefined
      ? {}
      : {
          declared: {
            from: "override",
            rung: "B-override",
            requirements: override.requirements,
            mixed: false,
          },
        };
  return {
    rung: "override",
    from,
    candidates: [
      { command: { ...command, env: { ...command.env, ...override.env } }, ...declared },
    ],
    why: "",
  };
}
