import type { CompareVerdict } from "../../judge/compare-sides.ts";
import { html, type Html } from "../shell/html.ts";

const WORDS: Readonly<Record<CompareVerdict, readonly [sign: string, word: string, look: string]>> =
  {
    "newly-broken": ["✗", "newly broken", "fail"],
    fixed: ["✓", "fixed", "pass"],
    "changed-failure": ["!", "fails otherwise", "crash"],
    unchanged: ["–", "the same", "skip"],
    incomparable: ["?", "incomparable", "farm"],
  };

export function compareWord(verdict: CompareVerdict): string {
  return WORDS[verdict][1];
}

/** Sign and word, in the colour of what it is like. */
export function compareMark(verdict: CompareVerdict): Html {
  const [sign, word, look] = WORDS[verdict];
  return html`<span class="verdict v-${look}"><span aria-hidden="true">${sign}</span> ${word}</span>`;
}
