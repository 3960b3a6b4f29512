import { parse } from "smol-toml";
import { reasonOf } from "../base/errors.ts";

/** Values of a TOML file, which came from a package and may be anything. */

export type Table = Readonly<Record<string, unknown>>;

export type TomlFile =
  | { readonly kind: "ok"; readonly table: Table }
  | { readonly kind: "bad"; readonly why: string };

export function parseToml(text: string): TomlFile {
  try {
    return { kind: "ok", table: parse(text) };
  } catch (thrown) {
    return { kind: "bad", why: reasonOf(thrown).split("\n")[0] ?? "it is no TOML" };
  }
}

export function isTable(value: unknown): value is Table {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)
  );
}

/** The value at a path of keys, or undefined where a step is missing or no table. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let here = value;
  for (const key of path) {
    if (!isTable(here) || !Object.hasOwn(here, key)) return undefined;
    here = here[key];
  }
  return here;
}

/** The table at a path, empty where there is none. */
export function tableAt(value: unknown, ...path: readonly string[]): Table {
  const found = at(value, ...path);
  return isTable(found) ? found : {};
}

/** A text, or the texts of a list; what is neither is left out. */
export function textsOf(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
