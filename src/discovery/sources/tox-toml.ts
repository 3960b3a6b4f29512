import { posix } from "node:path";
import type { ProjectView } from "../project-view.ts";
import { isTable, tableAt, textsOf, type Table } from "../toml-values.ts";
import { chooseEnvironment, expandBraces, fillIn, type ToxEnvironment } from "./tox-environment.ts";

/** tox.toml and native `[tool.tox]`: the environment for this interpreter, or why there is none. */
export function readToxToml(project: ProjectView): ToxEnvironment | { readonly why: string } {
  const own = project.has("tox.toml")
    ? project.toml("tox.toml")
    : tableAt(project.pyproject, "tool", "tox");
  const file = project.has("tox.toml") ? "tox.toml" : "pyproject.toml [tool.tox]";
  const envs = tableAt(own, "env");
  const base = tableAt(own, "env_run_base");
  if (Object.keys(base).length === 0 && Object.keys(envs).length === 0)
    return { why: "has no tox.toml or native [tool.tox]" };
  const listed = textsOf(own["env_list"]).flatMap((one) => expandBraces(one));
  const name = chooseEnvironment(listed, Object.keys(envs), project.context.interpreter);
  const section = tableAt(envs, name);
  // Keys of the environment win over the base's, as tox has it (`base` of an environment is not followed).
  const merged: Table = { ...base, ...section };
  const change = merged["change_dir"];
  const filled = typeof change === "string" ? fillIn(change, ".", name) : ".";
  const cwd = filled.startsWith("/") || filled.includes("{") ? "." : posix.normalize(filled);
  const commands = (Array.isArray(merged["commands"]) ? merged["commands"] : []).map(
    (command: unknown) => wordsOf(command).map((word) => fillIn(word, cwd, name)),
  );
  const deps = merged["deps"];
  return {
    name,
    from: Object.hasOwn(envs, name) ? `${file} env.${name}` : `${file} env_run_base as ${name}`,
    commands,
    deps: (typeof deps === "string" ? deps.split("\n") : textsOf(deps))
      .map((one) => fillIn(one.trim(), ".", name))
      .filter((one) => one !== ""),
    groups: textsOf(merged["dependency_groups"]),
    extras: textsOf(merged["extras"]),
    env: variables(merged["set_env"], name),
    cwd,
    notes: [],
  };
}

/** A command's words; `{replace = "posargs", default = [...]}` gives its default, other replacements what they default to. */
function wordsOf(command: unknown): readonly string[] {
  if (!Array.isArray(command)) return [];
  return command.flatMap((word: unknown) => {
    if (typeof word === "string") return [word];
    if (!isTable(word)) return [];
    return word["replace"] === "posargs" || word["replace"] === "env"
      ? textsOf(word["default"])
      : [];
  });
}

function variables(given: unknown, name: string): Readonly<Record<string, string>> {
  const env: Record<string, string> = {};
  if (!isTable(given)) return env;
  for (const [key, value] of Object.entries(given)) {
    if (typeof value === "string")
      env[key] = fillIn(value.replaceAll(/\{(?:toxinidir|tox_root)\}/g, "{tree}"), ".", name);
    else if (isTable(value) && value["replace"] === "env" && typeof value["default"] === "string")
      env[key] = value["default"];
  }
  return env;
}
