import { parse, TomlError } from "smol-toml";
import { z } from "zod";

import { clip, nearest, printableLine } from "../../base/bounded-text.ts";

/** What is wrong in a configuration file, for one line of a message. */
export interface TableProblem {
  /** From 1. */
  readonly line: number;
  /** Dotted: `limits.test_minutes`; empty for a file that is no TOML. */
  readonly key: string;
  readonly reason: string;
  /** The nearest valid key, where a key is unknown. */
  readonly nearest?: string;
}

export type TableReading<Table> =
  | { readonly kind: "ok"; readonly table: Table }
  | { readonly kind: "bad"; readonly problem: TableProblem };

/**
 * TOML text against a schema. `within` picks a table of the file (`["tool", "creamery"]`); when it is
 * not there, the schema sees an empty one.
 */
export function readTable<Table>(
  text: string,
  schema: z.ZodType<Table>,
  within: readonly string[] = [],
): TableReading<Table> {
  let whole: unknown;
  try {
    whole = parse(text);
  } catch (thrown) {
    const line = thrown instanceof TomlError ? thrown.line : 1;
    const reason = thrown instanceof Error ? (thrown.message.split("\n")[0] ?? "") : String(thrown);
    return {
      kind: "bad",
      problem: {
        line,
        key: "",
        reason: printableLine(reason.replace(/^Invalid TOML document: /, "")),
      },
    };
  }
  const parsed = schema.safeParse(pick(whole, within) ?? {});
  if (parsed.success) return { kind: "ok", table: parsed.data };
  const issue = parsed.error.issues[0];
  if (issue === undefined)
    return { kind: "bad", problem: { line: 1, key: "", reason: "is not valid" } };
  return { kind: "bad", problem: problemOf(text, schema, within, issue) };
}

/** `line 3: unknown key limits.tset_minutes`. */
export function formatProblem(problem: TableProblem): string {
  return `line ${problem.line}: ${problem.key === "" ? "" : `${problem.key}: `}${problem.reason}`;
}

function problemOf(
  text: string,
  schema: z.ZodType,
  within: readonly string[],
  issue: z.core.$ZodIssue,
): TableProblem {
  const at = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const unknown = issue.keys[0] ?? "";
    const near = nearest(unknown, keysAt(schema, at));
    const path = [...within, ...at, unknown];
    return {
      line: lineOf(text, path),
      key: shown(path),
      reason: "unknown key",
      ...(near === undefined ? {} : { nearest: near }),
    };
  }
  const path = [...within, ...at];
  return { line: lineOf(text, path), key: shown(path), reason: printableLine(plainly(issue)) };
}

const KINDS: Readonly<Record<string, string>> = {
  string: "text in quotes",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a table",
  record: "a table",
};

/** What is wrong in words of a TOML file's writer. */
function plainly(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `must be ${KINDS[issue.expected] ?? issue.expected}`;
    case "too_small":
      return issue.origin === "string" || issue.origin === "array"
        ? "must not be empty"
        : `must be at least ${issue.minimum}`;
    case "too_big":
      return issue.origin === "string" || issue.origin === "array"
        ? `must not be longer than ${issue.maximum}`
        : `must be at most ${issue.maximum}`;
    case "invalid_value":
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`;
    case "invalid_key":
      return "has a name that none can have";
    case "custom":
    case "invalid_element":
    case "invalid_format":
    case "invalid_union":
    case "not_multiple_of":
    case "unrecognized_keys":
      return issue.message;
  }
}

function shown(path: readonly string[]): string {
  return clip(printableLine(path.join(".")), 120);
}

function pick(value: unknown, path: readonly string[]): unknown {
  let current = value;
  for (const name of path) {
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, name))
      return undefined;
    current = new Map(Object.entries(current)).get(name);
  }
  return current;
}

/** Keys that the schema knows at a path, read from its own JSON Schema so that no second list can go stale. */
function keysAt(schema: z.ZodType, path: readonly string[]): string[] {
  const node = z.record(z.string(), z.unknown());
  let current: unknown = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  for (const name of path) {
    const here = node.safeParse(current).data ?? {};
    const properties = node.safeParse(here["properties"]).data ?? {};
    current = properties[name] ?? here["additionalProperties"] ?? here["items"];
  }
  return Object.keys(node.safeParse(node.safeParse(current).data?.["properties"]).data ?? {});
}

/**
 * The line that sets a key: by its text, as the parser keeps no places. The deepest part of the path that
 * can be found counts; 1 when none can.
 */
export function lineOf(text: string, path: readonly string[]): number {
  const lines = text.split("\n");
  let table: readonly string[] = [];
  let best = { line: 1, depth: 0 };
  lines.forEach((line, index) => {
    const header = /^\s*\[\[?\s*([^\]]+?)\s*\]\]?/.exec(line)?.[1];
    const name = /^\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=/.exec(
      line,
    )?.[1];
    if (header !== undefined) table = keyParts(header);
    const here =
      header !== undefined ? table : name === undefined ? null : [...table, ...keyParts(name)];
    if (here === null) return;
    const inline = name === undefined ? [] : keysInline(line, path.slice(here.length));
    const depth = here.every((part, position) => part === path[position])
      ? here.length + inline.length
      : 0;
    if (depth > best.depth) best = { line: index + 1, depth };
  });
  return best.line;
}

/** Parts of the path that stand in an inline table on the same line. */
function keysInline(line: string, rest: readonly string[]): readonly string[] {
  const found = rest.findIndex((part) => !line.includes(part));
  return found < 0 ? rest : rest.slice(0, found);
}

function keyParts(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|([\w-]+)/g)].map(
    (match) => match[1] ?? match[2] ?? match[3] ?? "",
  );
}
