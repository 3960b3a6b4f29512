import { styleText } from "node:util";

/** How a word is meant. Colour only helps: the word itself says it too. */
export type Tone = "running" | "good" | "bad" | "neutral";

const COLOURS = { running: "cyan", good: "green", bad: "red", neutral: "yellow" } as const;

/** `text` in the colour of its tone, or as it is. */
export function paint(text: string, tone: Tone, colour: boolean): string {
  // The caller has decided; styleText would look at standard output, which need not be where this goes.
  return colour && text !== "" ? styleText(COLOURS[tone], text, { validateStream: false }) : text;
}
