/**
 * Several commands in one exec: each exec, and each process of a shell's own, has its price under gVisor. Lanes run side
 * by side, the stages of a lane one after the other, the commands of a stage side by side again; a lane ends with the first
 * stage that fails.
 */
export interface LaneCommand {
  /** Letters and dashes. */
  readonly name: string;
  readonly argv: readonly string[];
  /** Its output is the exec's own, while it runs; else it is kept, and told only if it fails. One such runs at a time. */
  readonly shown?: boolean;
}
export type Lane = readonly (readonly LaneCommand[])[];

/** How one of the commands ended. */
export interface CommandEnd {
  readonly ok: boolean;
  /** Null where it never ended by itself, or never began. */
  readonly code: number | null;
  /** What it said: all of it where it is shown, else what there is when it failed. */
  readonly text: string;
  /** From the exec's start to its end, s; null where it did not end. */
  readonly endedAt: number | null;
}

const MAX_OUTPUT_BYTES = 64 * 1024;
const MAX_LINE_CHARS = 64 * 1024;
const MAX_SHOWN_CHARS = 400_000;
const DIRECTORY = "/job/.together";

/** Where a command's exit code is written when it ends: for another that waits for it. */
export const codeFile = (name: string): string => `${DIRECTORY}/${name}.code`;

/** The shell script: a line `@@NAME CODE` as each command ends, and at the end `==NAME CODE` with what failing ones said. */
export function togetherScript(lanes: readonly Lane[], after = "true"): string {
  const quiet = lanes.flatMap((lane) =>
    lane.flatMap((stage) => stage.filter(({ shown }) => shown !== true)),
  );
  return [
    `mkdir -p ${DIRECTORY}`,
    `quietly() { n=$1; shift; "$@" </dev/null >${DIRECTORY}/$n 2>&1; c=$?; echo $c >${DIRECTORY}/$n.code; echo "@@$n $c"; return $c; }`,
    `shown() { n=$1; shift; "$@" </dev/null 2>&1; c=$?; echo $c >${DIRECTORY}/$n.code; echo; echo "@@$n $c"; return $c; }`,
    ...lanes.map((lane, index) => `( ${lane.map(stageScript).join(" && ")} ) & lane${index}=$!`),
    ...lanes.map((_lane, index) => `wait $lane${index}`),
    ...quiet.map(
      ({ name }) =>
        `if [ -e ${DIRECTORY}/${name}.code ] && read -r c <${DIRECTORY}/${name}.code && [ "$c" != 0 ]; then echo "==${name} $c"; head -c ${MAX_OUTPUT_BYTES} ${DIRECTORY}/${name}; echo; fi`,
    ),
    `( ${after} ) </dev/null >/dev/null 2>&1`,
    "exit 0",
  ].join("\n");
}

function stageScript(stage: readonly LaneCommand[]): string {
  const calls = stage.map(
    ({ name, argv, shown }) =>
      `${shown === true ? "shown" : "quietly"} ${name} ${argv.map(quote).join(" ")}`,
  );
  if (calls.length === 1) return calls.join("");
  const began = calls.map((call, index) => `${call} & s${index}=$!;`);
  const ended = calls.map((_call, index) => `wait $s${index} || r=1;`);
  return `{ ${began.join(" ")} r=0; ${ended.join(" ")} [ $r = 0 ]; }`;
}

/** Reads what the script says, as it says it. The first word on a command counts: what another prints may look like one. */
export class TogetherReader {
  readonly #shown: ReadonlySet<string>;
  readonly #began = performance.now();
  readonly #ends = new Map<string, { code: number; endedAt: number }>();
  readonly #texts = new Map<string, string>();
  #rest = "";
  #own = "";
  #telling: string | null = null;

  constructor(lanes: readonly Lane[]) {
    this.#shown = new Set(
      lanes.flatMap((lane) =>
        lane.flatMap((stage) =>
          stage.filter(({ shown }) => shown === true).map(({ name }) => name),
        ),
      ),
    );
  }

  /** @returns what of the chunk is the output of shown commands. */
  read(chunk: string): string {
    const lines = chunk.split("\n");
    lines[0] = this.#rest + (lines[0] ?? "");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > MAX_LINE_CHARS) {
      lines.push(this.#rest);
      this.#rest = "";
    }
    return lines.map((line) => this.#line(line)).join("");
  }

  /** What was begun and not ended as a line. */
  finish(): string {
    const rest = this.#rest;
    this.#rest = "";
    return rest === "" ? "" : this.#line(rest);
  }

  endOf(name: string): CommandEnd {
    const end = this.#ends.get(name);
    const text = this.#texts.get(name) ?? (this.#shown.has(name) ? this.#own : "");
    return end === undefined
      ? { ok: false, code: null, text, endedAt: null }
      : { ok: end.code === 0, ...end, text };
  }

  #line(line: string): string {
    const [, mark, name = "", code] = /^(@@|==)([a-z-]+) (\d+)$/u.exec(line) ?? [];
    if (mark === "@@" && !this.#ends.has(name)) {
      this.#ends.set(name, {
        code: Number(code),
        endedAt: (performance.now() - this.#began) / 1000,
      });
      if (this.#shown.has(name)) {
        this.#texts.set(name, this.#own.trimEnd());
        this.#own = "";
      }
      return "";
    }
    const failed = mark === "==" && code !== "0" && this.#ends.get(name)?.code === Number(code);
    if (failed && !this.#texts.has(name)) {
      this.#telling = name;
      this.#texts.set(name, "");
      return "";
    }
    if (this.#telling !== null) {
      this.#texts.set(this.#telling, `${this.#texts.get(this.#telling) ?? ""}${line}\n`);
      return "";
    }
    if (this.#own.length < MAX_SHOWN_CHARS) this.#own += `${line}\n`;
    return `${line}\n`;
  }
}

/** A word for a shell, whatever it holds. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
