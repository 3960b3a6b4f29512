import type { StepResult } from "./guest-session.ts";

/** How one of several commands that ran side by side ended. */
export interface CommandEnd {
  readonly ok: boolean;
  /** Null when a limit ended them all. */
  readonly code: number | null;
  /** What it said; kept only where it failed. */
  readonly text: string;
}

export interface TogetherResult<Name extends string> {
  readonly step: StepResult;
  endOf(name: Name): CommandEnd;
}

const MAX_OUTPUT_BYTES = 64 * 1024;
const DIRECTORY = "/job/.together";

/**
 * A shell script that runs the commands side by side and says how each ended: `==NAME CODE`, below it what a
 * failing one said. Names are ours: letters and dashes.
 */
export function togetherScript(commands: Readonly<Record<string, readonly string[]>>): string {
  const names = Object.keys(commands);
  return [
    `mkdir -p ${DIRECTORY}`,
    ...Object.entries(commands).map(
      ([name, argv], index) =>
        `${argv.map(quote).join(" ")} </dev/null >${DIRECTORY}/${name} 2>&1 & p${index}=$!`,
    ),
    ...names.map(
      (name, index) =>
        `wait $p${index}; c=$?; echo "==${name} $c"; [ $c = 0 ] || { head -c ${MAX_OUTPUT_BYTES} ${DIRECTORY}/${name}; echo; }`,
    ),
    "exit 0",
  ].join("\n");
}

/** Reads the script's output. A command that it says nothing of did not end by itself. */
export function readTogether<Name extends string>(step: StepResult): TogetherResult<Name> {
  const found = new Map<string, CommandEnd>();
  for (const part of step.text.split(/^==(?=[a-z-]+ \d+$)/mu).slice(1)) {
    const [, name = "", code = "1"] = /^([a-z-]+) (\d+)/u.exec(part) ?? [];
    // The first word counts: what a failing command printed may look like another's end.
    if (!found.has(name))
      found.set(name, {
        ok: code === "0",
        code: Number(code),
        text: part.slice(part.indexOf("\n") + 1),
      });
  }
  return {
    step,
    endOf: (name) => found.get(name) ?? { ok: false, code: null, text: step.text },
  };
}

/** A word for a shell, whatever it holds. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
