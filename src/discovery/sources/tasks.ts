import type { ProjectView } from "../project-view.ts";
import type { Candidate, CommandRung } from "../rung.ts";
import { understandLine, type Understood } from "../test-command.ts";
import { isTable, tableAt, textsOf } from "../toml-values.ts";

/** Rung C5: tasks named for tests of hatch, pdm, poe, pixi, a Makefile or a justfile, and Django's manage.py. */
export function tasksRung(project: ProjectView): CommandRung {
  const found = [...tables(project), ...recipes(project)];
  const read: { from: string; understood: readonly Understood[] }[] = found.map(
    ({ from, lines }) => ({
      from,
      understood: lines.flatMap((line) =>
        understandLine(line.replaceAll(/\{args(?::([^{}]*))?\}/g, "$1"), project),
      ),
    }),
  );
  if (project.has("manage.py"))
    read.push({ from: "manage.py", understood: understandLine("python manage.py test", project) });
  const first = read.find((one) => one.understood.some((each) => each.kind === "command"));
  const candidates = (first?.understood ?? []).flatMap((one): readonly Candidate[] =>
    one.kind === "command" ? [{ command: one.command }] : [],
  );
  const why = read.flatMap((one) =>
    one.understood.flatMap((each) => (each.kind === "other" ? [`${one.from}: ${each.why}`] : [])),
  );
  return {
    rung: "C5",
    from: first?.from ?? "tasks",
    candidates,
    why: read.length === 0 ? "has no task for tests" : why.slice(0, 3).join("; "),
  };
}

const TASK_NAMES = [
  "test",
  "tests",
  "pytest",
  "unit",
  "unittest",
  "unit-test",
  "run",
  "test-all",
  "all",
  "cov",
  "test-cov",
];

interface Lines {
  readonly from: string;
  readonly lines: readonly string[];
}

function tables(project: ProjectView): readonly Lines[] {
  const tool = (...path: readonly string[]) => tableAt(project.pyproject, "tool", ...path);
  const hatch = { ...tool("hatch", "envs"), ...tableAt(project.toml("hatch.toml"), "envs") };
  const places: readonly (readonly [from: string, table: Readonly<Record<string, unknown>>])[] = [
    ...["hatch-test", "test", "tests", "default", "dev"].map(
      (env) => [`hatch ${env}`, tableAt(hatch, env, "scripts")] as const,
    ),
    ["pdm", tool("pdm", "scripts")],
    ["poe", tool("poe", "tasks")],
    ["pixi test", tool("pixi", "feature", "test", "tasks")],
    ["pixi", tool("pixi", "tasks")],
    ["rye", tool("rye", "scripts")],
  ];
  return places.flatMap(([from, table]) =>
    TASK_NAMES.flatMap((name) =>
      Object.hasOwn(table, name) ? [{ from: `${from} ${name}`, lines: linesOf(table[name]) }] : [],
    ),
  );
}

function linesOf(task: unknown): readonly string[] {
  if (!isTable(task)) return textsOf(task);
  return ["cmd", "shell", "composite", "sequence"].flatMap((key) => {
    const value = task[key];
    // A list as `cmd` is one command's words.
    return Array.isArray(value) && key === "cmd" ? [textsOf(value).join(" ")] : textsOf(value);
  });
}

function recipes(project: ProjectView): readonly Lines[] {
  return ["Makefile", "makefile", "GNUmakefile", "justfile", "Justfile"].flatMap((file) => {
    const text = project.text(file);
    if (text === undefined) return [];
    return ["test", "tests", "check", "pytest", "unittest"].flatMap((name) => {
      const recipe = new RegExp(
        `(?:^|\\n)${name}\\b[^\\n=]*:[^=\\n]*\\n((?:[ \\t]+[^\\n]*\\n?|\\n)*)`,
      ).exec(`${text}\n`);
      if (recipe === null) return [];
      const body = (recipe[1] ?? "")
        .replaceAll(/\\\n/g, " ")
        .replaceAll(/\$\(PYTHON3?\)|\$\{PYTHON3?\}|\{\{\s*python\s*\}\}/gi, "python")
        .replaceAll(
          /\$\((?:[A-Z_]*(?:ARGS|OPTS|FLAGS|OPTIONS))\)|\$\{(?:[A-Z_]*(?:ARGS|OPTS|FLAGS|OPTIONS))\}|\{\{\s*\w*args\w*\s*\}\}/gi,
          "",
        );
      const lines = body
        .split("\n")
        .map((line) => line.trim().replace(/^[@-]+/, ""))
        .filter((line) => line !== "");
      return lines.length === 0 ? [] : [{ from: `${file} ${name}`, lines }];
    });
  });
}
