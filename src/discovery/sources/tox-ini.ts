import { posix } from "node:path";
import { iniLines, parseIni, type IniFile } from "../../python/ini.ts";
import type { ProjectView } from "../project-view.ts";
import { at, tableAt } from "../toml-values.ts";
import {
  chooseEnvironment,
  expandBraces,
  factorsHold,
  fillIn,
  splitOutsideBraces,
  type ToxEnvironment,
} from "./tox-environment.ts";

/** tox.ini, `[tox:tox]` of setup.cfg and `legacy_tox_ini`: the environment for this interpreter, or why there is none. */
export function readToxIni(project: ProjectView): ToxEnvironment | { readonly why: string } {
  const found = iniOf(project);
  if (found === null) return { why: "has no tox.ini" };
  const { ini, from } = found;
  const core = ini.get("tox") ?? ini.get("tox:tox") ?? new Map<string, string>();
  const listed = splitOutsideBraces(
    iniLines(core.get("env_list") ?? core.get("envlist"))
      .map((line) => line.replace(/#.*$/, ""))
      .join("\n"),
  ).flatMap((one) => expandBraces(one));
  const sections = [...ini.keys()].filter((key) => key.startsWith("testenv:"));
  const named = sections.flatMap((key) => expandBraces(key.slice("testenv:".length)));
  if (!ini.has("testenv") && named.length === 0) return { why: `${from} has no test environments` };
  const name = chooseEnvironment(listed, named, project.context.interpreter);
  const section = sections.find((key) =>
    splitOutsideBraces(key.slice("testenv:".length))
      .flatMap((one) => expandBraces(one))
      .includes(name),
  );
  const reader = new SectionReader(ini, name, section);
  return reader.environment(
    section === undefined ? `${from} [testenv] as ${name}` : `${from} [${section}]`,
  );
}

function iniOf(project: ProjectView): { readonly ini: IniFile; readonly from: string } | null {
  if (project.has("tox.ini")) return { ini: project.ini("tox.ini"), from: "tox.ini" };
  const legacy = at(project.pyproject, "tool", "tox", "legacy_tox_ini");
  if (typeof legacy === "string") {
    const parsed = parseIni(legacy);
    return parsed.kind === "ok" ? { ini: parsed.ini, from: "pyproject.toml legacy_tox_ini" } : null;
  }
  const setup = project.ini("setup.cfg");
  return setup.has("tox:tox") ||
    (setup.has("testenv") && Object.keys(tableAt(project.pyproject, "tool", "tox")).length === 0)
    ? { ini: setup, from: "setup.cfg" }
    : null;
}

const CONDITION = /^([\w.!{}-]+(?:\s*,\s*[\w.!{}-]+)*)\s*:(?:\s+(.*)|)$/s;
const MAX_REFERENCES = 200;

/** Values of one environment: its own section's, else [testenv]'s; conditional lines and references resolved. */
class SectionReader {
  readonly #ini: IniFile;
  readonly #name: string;
  readonly #sections: readonly string[];
  #references = 0;

  constructor(ini: IniFile, name: string, section: string | undefined) {
    this.#ini = ini;
    this.#name = name;
    this.#sections = section === undefined ? ["testenv"] : [section, "testenv"];
  }

  environment(from: string): ToxEnvironment {
    const change = this.#one("change_dir", "changedir");
    const filled = change === null ? "." : fillIn(change, ".", this.#name);
    // tox's own directories are not in the tree: the root serves as well.
    const cwd = filled.startsWith("/") || filled.includes("{") ? "." : posix.normalize(filled);
    const env = this.#variables();
    const commands = joinContinued(this.#lines("commands")).map((line) =>
      fillIn(line, cwd, this.#name, env),
    );
    const expanded = Object.fromEntries(
      Object.entries(env).map(([key, value]) => [
        key,
        fillIn(value.replaceAll(/\{(?:toxinidir|tox_root)\}/g, "{tree}"), cwd, this.#name),
      ]),
    );
    return {
      name: this.#name,
      from,
      commands,
      deps: this.#lines("deps").map((line) => fillIn(line, ".", this.#name)),
      groups: this.#lines("dependency_groups").flatMap((line) => line.split(/[,\s]+/)),
      extras: this.#lines("extras").flatMap((line) => line.split(/[,\s]+/)),
      env: expanded,
      cwd,
      notes: [],
    };
  }

  #variables(): Record<string, string> {
    const env: Record<string, string> = {};
    for (const line of [...this.#lines("setenv"), ...this.#lines("set_env")]) {
      const match = /^([A-Za-z_]\w*)\s*=\s*(.*)$/s.exec(line);
      if (match !== null) env[match[1] ?? ""] = match[2] ?? "";
    }
    return env;
  }

  #one(...keys: readonly string[]): string | null {
    for (const key of keys) {
      const [line] = this.#lines(key);
      if (line !== undefined) return line;
    }
    return null;
  }

  #lines(key: string): readonly string[] {
    const raw = this.#sections
      .map((section) => this.#ini.get(section)?.get(key))
      .find((value) => value !== undefined);
    return this.#resolve(raw ?? "");
  }

  #resolve(raw: string): readonly string[] {
    return iniLines(raw).flatMap((line) => {
      const condition = CONDITION.exec(line);
      const body =
        condition === null
          ? line
          : factorsHold(condition[1] ?? "", this.#name)
            ? (condition[2] ?? "")
            : "";
      if (body === "") return [];
      const reference = /\{\[([^\]]+)\]([\w-]+)\}/.exec(body);
      if (reference === null) return [body];
      if (++this.#references > MAX_REFERENCES) return [];
      const inner = this.#resolve(
        this.#ini.get(reference[1] ?? "")?.get((reference[2] ?? "").toLowerCase()) ?? "",
      );
      if (body === reference[0]) return inner;
      return this.#resolve(body.replace(reference[0], () => inner.join(" ")));
    });
  }
}

function joinContinued(lines: readonly string[]): readonly string[] {
  return lines
    .join("\n")
    .replaceAll(/\\\n\s*/g, " ")
    .split("\n")
    .filter((line) => line !== "");
}
