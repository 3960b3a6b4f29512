import { StringDecoder } from "node:string_decoder";

import { JoinedBytes } from "../base/joined-bytes.ts";
import type { ExecResult, Guest } from "../machine/machine.ts";
import type { Phase } from "../model/attempt.ts";
import { TextEnds, type AttemptLog } from "./attempt-log.ts";
import { TogetherReader, togetherScript, type CommandEnd, type Lane } from "./together.ts";

/** One command run in the guest, and what it said. */
export interface StepResult extends ExecResult {
  readonly step: string;
  readonly phase: Phase;
  readonly argv: readonly string[];
  /** The beginning and the end of both output streams, in the order in which they came. */
  readonly text: string;
  readonly ok: boolean;
}

export interface StepRequest {
  readonly step: string;
  readonly phase: Phase;
  readonly argv: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: "root" | "job";
  readonly wallMs: number;
  readonly silenceMs?: number;
  readonly dumpStacks?: boolean;
  /** Lines of the reporters' event stream. */
  readonly onEvent?: (line: string) => void;
  /** Its output, as it comes. */
  readonly onOutput?: (text: string) => void;
  /** Not a step of the package's: its output is kept out of the log unless it fails. */
  readonly quiet?: boolean;
  /** A shell script of ours that runs beside it, silently, for what need not wait. */
  readonly beside?: string;
  /** A shell script of ours that runs after it, silently, whatever its end. */
  readonly after?: string;
}

export interface TogetherResult {
  readonly step: StepResult;
  readonly endOf: (name: string) => CommandEnd;
}

export interface SessionLimits {
  readonly outputBytes: number;
  /** The machine kind's measured slowness multiplies every wall and silence limit. */
  readonly slowness: number;
}

/** Runs the steps of one attempt in its guest: one environment, one log, one set of limits, seconds by step. */
export class GuestSession {
  readonly guest: Guest;
  readonly log: AttemptLog;
  readonly steps: StepResult[] = [];
  readonly signal: AbortSignal;
  readonly #env: Readonly<Record<string, string>>;
  readonly #limits: SessionLimits;

  constructor(
    guest: Guest,
    log: AttemptLog,
    env: Readonly<Record<string, string>>,
    limits: SessionLimits,
    signal: AbortSignal,
  ) {
    this.guest = guest;
    this.log = log;
    this.signal = signal;
    this.#env = env;
    this.#limits = limits;
  }

  /** @throws CreameryError `agent-lost`, `channel`; a command that fails is a result, not an error. */
  async run(request: StepRequest): Promise<StepResult> {
    const ends = new TextEnds();
    const held = new JoinedBytes();
    const decoders = { stdout: new StringDecoder("utf8"), stderr: new StringDecoder("utf8") };
    const title = request.argv.join(" ");
    if (request.quiet !== true) this.log.section(request.step, title);
    const result = await this.guest.exec(
      {
        argv: wrapped(request),
        cwd: request.cwd ?? "/job",
        env: { ...this.#env, ...request.env },
        user: request.user ?? "job",
        wallMs: Math.ceil(request.wallMs * this.#limits.slowness),
        silenceMs: Math.ceil((request.silenceMs ?? 0) * this.#limits.slowness),
        outputBytes: this.#limits.outputBytes,
        events: request.onEvent !== undefined,
        dumpStacks: request.dumpStacks ?? false,
      },
      {
        output: (stream, chunk) => {
          const text = decoders[stream].write(chunk);
          ends.add(text);
          request.onOutput?.(text);
          if (request.quiet === true) held.add(chunk);
          else this.log.write(chunk);
        },
        ...(request.onEvent === undefined ? {} : { event: request.onEvent }),
      },
      this.signal,
    );
    const ok = result.code === 0 && result.limit === null;
    if (request.quiet === true && !ok) {
      this.log.section(request.step, title);
      this.log.write(held.all());
    }
    if (request.quiet !== true || !ok) this.log.note(`-- ${request.step}: ${describeEnd(result)}`);
    const step = {
      ...result,
      step: request.step,
      phase: request.phase,
      argv: request.argv,
      text: ends.text,
      ok,
    };
    this.steps.push(step);
    return step;
  }

  /**
   * Several commands in one exec (together.ts), then a script of ours; what the shown ones say goes into the log below
   * `title`. A limit ends them all.
   */
  async together(
    request: Omit<StepRequest, "argv" | "quiet" | "onEvent" | "onOutput">,
    lanes: readonly Lane[],
    title?: string,
    after?: string,
  ): Promise<TogetherResult> {
    const reader = new TogetherReader(lanes);
    if (title !== undefined) this.log.note(`== ${title}`);
    const step = await this.run({
      ...request,
      argv: ["sh", "-c", togetherScript(lanes, after)],
      onOutput: (text) => {
        const shown = reader.read(text);
        if (title !== undefined) this.log.write(Buffer.from(shown));
      },
      quiet: true,
    });
    const rest = reader.finish();
    if (title !== undefined) this.log.write(Buffer.from(rest));
    return { step, endOf: (name) => reader.endOf(name) };
  }
}

/** Each exec has its price: what belongs to a step rides along in its own. */
function wrapped({ argv, beside, after }: StepRequest): readonly string[] {
  if (beside === undefined && after === undefined) return argv;
  const script = [
    beside === undefined ? "" : `( ${beside} ) </dev/null >/dev/null 2>&1 & p=$!`,
    '"$@"; c=$?',
    beside === undefined ? "" : "wait $p",
    after === undefined ? "" : `( ${after} ) </dev/null >/dev/null 2>&1`,
    "exit $c",
  ];
  return ["sh", "-c", script.filter((line) => line !== "").join("\n"), "sh", ...argv];
}

/** `exit 1 after 2.31 s`, `SIGSEGV after 0.10 s`, `ended at its time limit after 600.00 s`. */
export function describeEnd(result: ExecResult): string {
  const after = ` after ${result.seconds.toFixed(2)} s`;
  switch (result.limit) {
    case "timeout":
      return `ended at its time limit${after}`;
    case "silent":
      return `ended at its limit of silence${after}`;
    case "log-size":
      return `ended at its limit of output${after}`;
    case null:
      return `${result.signal ?? `exit ${result.code}`}${after}`;
  }
}
