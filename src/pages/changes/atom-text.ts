import { printable } from "../../base/bounded-text.ts";

/** What XML 1.0 has no place for besides control characters: halves of pairs, and two that are no characters. */
const NO_CHARACTER = /[\p{Surrogate}\ufffe\uffff]/gu;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** A text for XML 1.0, in elements and quoted attributes: what it has no place for is made visible. */
export function xmlText(text: string): string {
  return printable(text)
    .replaceAll(
      NO_CHARACTER,
      (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
    )
    .replaceAll(/[&<>"']/gu, (character) => ENTITIES[character] ?? "");
}
