import { expandGroup } from "../../python/dependency-groups.ts";
import { extraRequirements } from "../declared-requirements.ts";
import type { ProjectView } from "../project-view.ts";
import type { Candidate, CommandRung } from "../rung.ts";
import { understandLine } from "../test-command.ts";
import { at, isTable, tableAt, textsOf } from "../toml-values.ts";

/** Rung C1: cibuildwheel's test-command, written for installed wheels and run outside of the tree. */
export function cibuildwheelRung(project: ProjectView): CommandRung {
  const general = tableAt(project.pyproject, "tool", "cibuildwheel");
  const settings = {
    ...general,
    ...Object.fromEntries(
      Object.entries(tableAt(general, "linux")).filter(([key]) => key.startsWith("test-")),
    ),
  };
  const lines = textsOf(at(settings, "test-command"));
  const from = "pyproject.toml [tool.cibuildwheel] test-command";
  if (lines.length === 0)
    return { rung: "C1", from, candidates: [], why: "has no cibuildwheel test-command" };
  const understood = lines.flatMap((line) =>
    understandLine(line.replaceAll(/\{(?:project|package)\}/g, "."), project),
  );
  const groups = tableAt(project.pyproject, "dependency-groups");
  const requirements = [
    ...textsOf(settings["test-requires"]).flatMap((text) => text.split(/\s+(?=[A-Za-z])/)),
    ...textsOf(settings["test-extras"])
      .flatMap((text) => text.split(/[,\s]+/))
      .flatMap((extra) => extraRequirements(project, extra)),
    ...textsOf(settings["test-groups"])
      .flatMap((text) => text.split(/\s+/))
      .flatMap((group) => {
        const expanded = expandGroup(groups, group);
        return expanded.kind === "ok" ? expanded.requirements : [];
      }),
  ];
  const env = environment(settings["test-environment"]);
  const candidates = understood.flatMap((one): readonly Candidate[] => {
    if (one.kind === "other") return [];
    // Where nothing of the tree is named, the command is made to run anywhere but there.
    const cwd = one.command.usesTree ? one.command.cwd : "{site}";
    const declared =
      requirements.length === 0
        ? {}
        : {
            declared: {
              from: "cibuildwheel:test-requires",
              rung: "B6",
              requirements,
              mixed: false,
            },
          };
    return [{ command: { ...one.command, cwd, env: { ...env, ...one.command.env } }, ...declared }];
  });
  return {
    rung: "C1",
    from,
    candidates,
    why: understood.flatMap((one) => (one.kind === "other" ? [one.why] : [])).join("; "),
  };
}

function environment(given: unknown): Readonly<Record<string, string>> {
  if (isTable(given))
    return Object.fromEntries(
      Object.entries(given).flatMap(([key, value]) =>
        typeof value === "string" ? [[key, value]] : [],
      ),
    );
  const text = typeof given === "string" ? given : "";
  return Object.fromEntries(
    [...text.matchAll(/([A-Za-z_]\w*)=("[^"]*"|'[^']*'|\S*)/g)].map((match) => [
      match[1] ?? "",
      (match[2] ?? "").replaceAll(/^["']|["']$/g, ""),
    ]),
  );
}
