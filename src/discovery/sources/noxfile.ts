import { expandGroup } from "../../python/dependency-groups.ts";
import { readRequirementsFile } from "../../python/requirements-file.ts";
import { extraRequirements, pythonStrings, unpinned } from "../declared-requirements.ts";
import type { ProjectView } from "../project-view.ts";
import type { Candidate, CommandRung } from "../rung.ts";
import { understandWords } from "../test-command.ts";
import { tableAt } from "../toml-values.ts";

/** Rung C4: noxfile.py, read as text and never executed: the literals of its test session. */
export function noxRung(project: ProjectView): CommandRung {
  const from = "noxfile.py";
  const text = project.text(from);
  if (text === undefined) return { rung: "C4", from, candidates: [], why: "has no noxfile.py" };
  const sessions = readSessions(text);
  const chosen = sessions.toSorted((left, right) => rank(left.name) - rank(right.name))[0];
  if (chosen === undefined || rank(chosen.name) > 90) {
    return {
      rung: "C4",
      from,
      candidates: [],
      why: `noxfile.py has no session for tests among ${sessions.map((one) => one.name).join(", ")}`,
    };
  }
  const requirements = chosen.installs.flatMap((words) => installed(words, project));
  const understood = chosen.runs.map((words) => understandWords(words, project));
  const candidates = understood.flatMap((one): readonly Candidate[] =>
    one.kind === "command"
      ? [
          {
            command: one.command,
            ...(requirements.length === 0
              ? {}
              : {
                  declared: { from: `nox:${chosen.name}`, rung: "B6", requirements, mixed: false },
                }),
          },
        ]
      : [],
  );
  return {
    rung: "C4",
    from: `noxfile.py ${chosen.name}`,
    candidates,
    why: understood.flatMap((one) => (one.kind === "other" ? [one.why] : [])).join("; "),
  };
}

interface Session {
  readonly name: string;
  readonly installs: readonly (readonly string[])[];
  readonly runs: readonly (readonly string[])[];
}

function rank(name: string): number {
  const order = [
    "tests",
    "test",
    "unit",
    "unittests",
    "pytest",
    "unit_tests",
    "unit-tests",
    "testing",
    "run_tests",
  ];
  const exact = order.indexOf(name);
  if (exact >= 0) return exact;
  return /test/.test(name) && !/lint|doc|type|mypy|bench|integration|random/.test(name) ? 50 : 100;
}

/** Constants of the module that are texts, or paths below its own directory, put where they are used. */
function withConstants(text: string): string {
  const constants = [
    ...text.matchAll(
      /^([A-Z][A-Z0-9_]*)\s*=\s*(?:[A-Z][A-Z0-9_]*\s*\/\s*)?("[^"\n{}]*"|'[^'\n{}]*')\s*$/gm,
    ),
  ].slice(0, 30);
  let filled = text;
  for (const [, name = "", literal = ""] of constants) {
    filled = filled.replaceAll(
      new RegExp(`(?<=[(,\\s]\\s*)${name}(?=\\s*[,)])`, "g"),
      () => literal,
    );
  }
  return filled;
}

function readSessions(source: string): readonly Session[] {
  const text = withConstants(source);
  const blocks = text
    .split(/^(?=@(?:nox\.)?session\b)/m)
    .filter((block) => block.startsWith("@"))
    .slice(0, 200);
  return blocks.flatMap((block) => {
    const def = /^def\s+(\w+)\s*\(/m.exec(block);
    if (def === null) return [];
    const name = /name\s*=\s*["']([^"']+)["']/.exec(block.slice(0, def.index))?.[1] ?? def[1] ?? "";
    // The next thing at the left margin ends the function.
    const body = block.slice(def.index).split(/\n(?=[^\s#)\]}])/)[0] ?? "";
    return [
      {
        name,
        installs: calls(body, /\b(?:session\.)?(?:install|conda_install)\(/g),
        runs: calls(body, /\bsession\.(?:run|run_always)\(/g),
      },
    ];
  });
}

/** The string literals among the arguments of each call, keywords left out. */
function calls(body: string, pattern: RegExp): readonly (readonly string[])[] {
  return [...body.matchAll(pattern)].slice(0, 50).map((match) => {
    const start = match.index + match[0].length;
    const source = body.slice(start, closing(body, start));
    // A formatted string cannot be known.
    return pythonStrings(
      source
        .replaceAll(/\b\w+\s*=(?!=)\s*(?:\{[^}]*\}|\[[^\]]*\]|[^,)]*)/g, "")
        .replaceAll(/\b[fF](?:"[^"\n]*"|'[^'\n]*')/g, ""),
    );
  });
}

function closing(text: string, start: number): number {
  let depth = 1;
  for (let index = start; index < Math.min(text.length, start + 4000); index++) {
    if (text[index] === "(") depth++;
    if (text[index] === ")" && --depth === 0) return index;
  }
  return start;
}

function installed(words: readonly string[], project: ProjectView): readonly string[] {
  return words.flatMap((word, index) => {
    const before = words[index - 1] ?? "";
    if (before === "-r" || before === "--requirement")
      return readRequirementsFile(word, (path) => unpinned(project, path)).requirements.map(
        (one) => one.text,
      );
    if (before === "--group") return groupRequirements(word, project);
    const group = /^--group=(.+)$/.exec(word)?.[1];
    if (group !== undefined) return groupRequirements(group, project);
    const own = /^\.\[([^\]]+)\]$/.exec(word);
    if (own !== null)
      return (own[1] ?? "").split(",").flatMap((extra) => extraRequirements(project, extra.trim()));
    return word.startsWith("-") ||
      word.startsWith(".") ||
      before === "-c" ||
      before === "-e" ||
      word.includes("/") ||
      !/^[A-Za-z0-9]/.test(word)
      ? []
      : [word];
  });
}

function groupRequirements(name: string, project: ProjectView): readonly string[] {
  const expanded = expandGroup(tableAt(project.pyproject, "dependency-groups"), name);
  return expanded.kind === "ok" ? expanded.requirements : [];
}
