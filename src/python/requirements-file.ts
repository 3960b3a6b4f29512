import { posix } from "node:path";
import { parseRequirement, type Requirement } from "./requirements.ts";

/** A pip requirements file, read from texts alone: nothing outside of the given files is opened. */
export interface RequirementsFile {
  readonly requirements: readonly Requirement[];
  /** From `-c` files. */
  readonly constraints: readonly Requirement[];
  /** Lines passed over, and why. */
  readonly notes: readonly string[];
  /** It installs the project itself (`.`, `-e .`, `.[test]`): the extras asked for. */
  readonly selfExtras: readonly string[];
}

const MAX_DEPTH = 8;
const MAX_LINES = 5000;

/**
 * @param path of the file, relative to the tree.
 * @param textOf gives a file's text by its path in the tree, or undefined.
 */
export function readRequirementsFile(
  path: string,
  textOf: (path: string) => string | undefined,
): RequirementsFile {
  const collected: Collected = {
    requirements: [],
    constraints: [],
    notes: [],
    selfExtras: [],
    seen: new Set(),
    lines: 0,
  };
  read(path, false, 0, textOf, collected);
  return collected;
}

interface Collected {
  readonly requirements: Requirement[];
  readonly constraints: Requirement[];
  readonly notes: string[];
  readonly selfExtras: string[];
  readonly seen: Set<string>;
  lines: number;
}

function read(
  path: string,
  constraint: boolean,
  depth: number,
  textOf: (path: string) => string | undefined,
  into: Collected,
): void {
  const key = `${constraint ? "c" : "r"}:${path}`;
  if (into.seen.has(key)) return;
  into.seen.add(key);
  const text = textOf(path);
  if (text === undefined || depth > MAX_DEPTH) {
    into.notes.push(
      `${path}: ${text === undefined ? "is not in the tree" : "is included too deeply"}`,
    );
    return;
  }
  for (const raw of text.replaceAll(/\\\r?\n/g, " ").split(/\r?\n/)) {
    if (++into.lines > MAX_LINES) return;
    const line = raw.replace(/(^|\s)#.*$/, "").trim();
    if (line !== "") readLine(line, { path, constraint, depth, textOf, into });
  }
}

interface LineContext {
  readonly path: string;
  readonly constraint: boolean;
  readonly depth: number;
  readonly textOf: (path: string) => string | undefined;
  readonly into: Collected;
}

function readLine(line: string, context: LineContext): void {
  const { path, constraint, depth, textOf, into } = context;
  const include = /^(?:-r|--requirement|-c|--constraint)(?:\s+|=|(?=[^\s-]))(.+)$/.exec(line);
  if (include !== null) {
    const target = posix.normalize(posix.join(posix.dirname(path), unquote(include[1] ?? "")));
    if (target.startsWith("../") || /^[a-z+]+:\/\//i.test(include[1] ?? ""))
      into.notes.push(`${path}: left out ${line}`);
    else read(target, constraint || /^(?:-c|--constraint)/.test(line), depth + 1, textOf, into);
    return;
  }
  const editable = line.replace(/^(?:-e|--editable)(?:\s+|=)/, "");
  const own = /^(?:\.|\.\/|file:\.)(?:\[([^\]]*)\])?$/.exec(unquote(editable));
  if (own !== null) {
    into.selfExtras.push(
      ...(own[1] ?? "")
        .split(",")
        .map((extra) => extra.trim())
        .filter((extra) => extra !== ""),
    );
    return;
  }
  const requirement =
    editable === line
      ? parseRequirement(line.replace(/\s--(?:hash|config-settings|global-option)[=\s].*$/, ""))
      : null;
  if (requirement === null) into.notes.push(`${path}: left out ${line}`);
  else (constraint ? into.constraints : into.requirements).push(requirement);
}

function unquote(text: string): string {
  return text.trim().replace(/^(['"])(.*)\1$/, "$2");
}
