import { expandGroup } from "../../python/dependency-groups.ts";
import { readRequirementsFile } from "../../python/requirements-file.ts";
import { extraRequirements, unpinned } from "../declared-requirements.ts";
import type { ProjectView } from "../project-view.ts";
import type { Candidate, CommandRung, DeclaredRequirements } from "../rung.ts";
import { understandLine, understandWords, type Understood } from "../test-command.ts";
import { tableAt } from "../toml-values.ts";
import { testEnvironment, type ToxEnvironment } from "./tox-environment.ts";
import { readToxIni } from "./tox-ini.ts";
import { readToxToml } from "./tox-toml.ts";

export interface ToxReading extends CommandRung {
  /** Variables for the tests: they matter whatever the command. */
  readonly env: Readonly<Record<string, string>>;
}

/** Rung C2. */
export function toxRung(project: ProjectView): ToxReading {
  const ini = readToxIni(project);
  const read = "name" in ini ? ini : readToxToml(project);
  if (!("name" in read))
    return { rung: "C2", from: "tox", candidates: [], why: "has no tox configuration", env: {} };
  const env = testEnvironment(read.env, project);
  const understood = read.commands.flatMap((command): readonly Understood[] => {
    if (typeof command === "string") return understandLine(command, project, read.cwd);
    return [understandWords(command, project, read.cwd)];
  });
  const declared = declaredBy(read, project);
  const candidates = understood.flatMap((one): readonly Candidate[] =>
    one.kind === "command"
      ? [{ command: { ...one.command, env: { ...env, ...one.command.env } }, declared }]
      : [],
  );
  const why = understood.flatMap((one) => (one.kind === "other" ? [one.why] : []));
  const reason =
    read.commands.length === 0
      ? `${read.from} has no commands`
      : `${read.from}: ${why.slice(0, 3).join("; ")}`;
  return { rung: "C2", from: read.from, candidates, why: reason, env };
}

function declaredBy(read: ToxEnvironment, project: ProjectView): DeclaredRequirements {
  const groups = tableAt(project.pyproject, "dependency-groups");
  const fromGroups = read.groups.flatMap((name) => {
    const expanded = expandGroup(groups, name);
    return expanded.kind === "ok" ? expanded.requirements : [];
  });
  const files = read.deps.flatMap((line) => {
    const include = /^(?:-r|--requirement)[\s=]*(.+)$/.exec(line);
    if (include === null) return line.startsWith("-") ? [] : [line];
    const path = (include[1] ?? "").trim().replace(/^\.\//, "");
    return readRequirementsFile(path, (one) => unpinned(project, one)).requirements.map(
      (one) => one.text,
    );
  });
  const extras = read.extras
    .filter((name) => !/doc|lint|typ/i.test(name))
    .flatMap((name) => extraRequirements(project, name));
  return {
    from: `tox:${read.name}`,
    rung: "B6",
    requirements: [...files, ...fromGroups, ...extras],
    mixed: false,
  };
}
