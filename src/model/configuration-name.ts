import { nearest, printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";

/** What `--on` may be chosen from. */
export interface ConfigurationChoice {
  /** Of the image, in its order: `cpython-2.7`, …, `pypy-3.11`. */
  readonly known: readonly string[];
  /** The operator's or the default priority configurations; those the image lacks are an error when they are asked for. */
  readonly priority: readonly string[];
}

/** `cpython-3.13`, `pypy-3.11`: implementation, then major and minor version. */
const NAME = /^(?:cpython|pypy)-\d{1,2}\.\d{1,3}t?$/;

export function isConfigurationName(text: string): boolean {
  return NAME.test(text);
}

/** In the order of an image: by implementation, then by version as numbers. */
export function compareConfigurations(left: string, right: string): number {
  const [one = "", first = ""] = left.split("-");
  const [other = "", second = ""] = right.split("-");
  if (one !== other) return one < other ? -1 : 1;
  const minor = (version: string) => Number(/^\d+\.(\d+)/.exec(version)?.[1] ?? 0);
  return Number.parseInt(first, 10) - Number.parseInt(second, 10) || minor(first) - minor(second);
}

/**
 * Reads `--on`: names, comma-separated, `all` or `priority`; in the order given, each once.
 * @throws CreameryError `unknown-configuration` that suggests the nearest name, `usage` for an empty list.
 */
export function parseConfigurations(text: string, choice: ConfigurationChoice): string[] {
  const chosen = new Set<string>();
  for (const word of text.split(",").map((part) => part.trim())) {
    if (word === "") continue;
    for (const name of namesOf(word, choice)) {
      if (!choice.known.includes(name)) throw unknown(name, choice.known);
      chosen.add(name);
    }
  }
  if (chosen.size === 0) {
    throw new CreameryError("usage", "--on names no configuration", {
      input: text,
      nextStep: `give one of: ${[...choice.known, "all", "priority"].join(", ")}`,
    });
  }
  return [...chosen];
}

/** Whether a configuration is asked for by more than `all`: by its name, or as one of the priority configurations. */
export function isAskedFor(name: string, text: string, choice: ConfigurationChoice): boolean {
  const words = text.split(",").map((part) => part.trim());
  return words.some((word) => word !== "all" && namesOf(word, choice).includes(name));
}

function namesOf(word: string, choice: ConfigurationChoice): readonly string[] {
  if (word === "all") return choice.known;
  if (word === "priority") return choice.priority;
  return [word];
}

function unknown(name: string, known: readonly string[]): CreameryError {
  // `3.13`, `py313`, `python3.13`, `pypy3.11`: what people are used to type elsewhere.
  const habit = /^(?:(?:c?py|c?python|pypy)[-_]?)?(\d)\.?(\d{1,2})$/.exec(name.toLowerCase());
  const habitual =
    habit === null
      ? undefined
      : `${name.toLowerCase().startsWith("pypy") ? "pypy" : "cpython"}-${habit[1]}.${habit[2]}`;
  const swapped = known.find((candidate) => letters(candidate) === letters(name.toLowerCase()));
  const likely = [habitual, swapped].find(
    (candidate) => candidate !== undefined && known.includes(candidate),
  );
  const near = likely ?? nearest(name, [...known, "all", "priority"]);
  return new CreameryError("unknown-configuration", "no such configuration", {
    input: printableLine(name),
    nextStep:
      near === undefined
        ? `give one of: ${known.join(", ")}`
        : `did you mean ${near}? known: ${known.join(", ")}`,
  });
}

/** Two characters that changed places are one slip, not two. */
function letters(text: string): string {
  return text.split("").toSorted().join("");
}
