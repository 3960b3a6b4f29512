import { printableLine } from "../../base/bounded-text.ts";

/** One thing that was looked at. `lacks`: the farm's main job cannot run without it. */
export interface Finding {
  readonly name: string;
  readonly state: "ok" | "note" | "lacks";
  readonly detail: string;
  /** What to type or do next; only where something can be done. */
  readonly nextStep?: string;
}

const WORDS: Record<Finding["state"], string> = { ok: "ok   ", note: "note ", lacks: "LACKS" };
const COLOURS: Record<Finding["state"], string> = { ok: "32", note: "33", lacks: "31;1" };

/** A line for each finding, its next step below it, and what it comes to at the end. Words always, colour when asked. */
export function renderFindings(findings: readonly Finding[], colour: boolean): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.flatMap(({ name, state, detail, nextStep }) => {
    const word = colour ? `\u001b[${COLOURS[state]}m${WORDS[state]}\u001b[0m` : WORDS[state];
    const line = `${word}  ${name.padEnd(width)}  ${printableLine(detail)}`;
    return nextStep === undefined
      ? [line]
      : [line, `${" ".repeat(width + 9)}next: ${printableLine(nextStep)}`];
  });
  const lacking = findings.filter(({ state }) => state === "lacks").length;
  const end =
    lacking === 0
      ? "This host can run guests."
      : `Tests cannot run here yet: ${lacking} ${lacking === 1 ? "thing is" : "things are"} missing or wrong.`;
  return `${[...lines, "", end].join("\n")}\n`;
}
