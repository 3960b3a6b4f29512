import { constants } from "node:os";

/**
 * The one error class of the farm. Expected outcomes are data; what is thrown is a fault, and a fault
 * names its input, its reason and the next step for the person who reads it.
 */

/** Codes whose fault lies with what was typed or given: exit code 2. */
const INPUT_CODES = [
  "usage",
  "configuration-file",
  "unknown-configuration",
  "unknown-project",
  "unknown-version",
  "no-distribution",
  "no-such-path",
  "unreadable-path",
  "too-large",
  "not-a-project",
  "bad-archive",
  "needs-lfs",
  "bad-requirement",
  "address-refused",
  "unknown-image",
  "unknown-attempt",
  "unknown-job",
  "unknown-host",
  "unknown-principal",
  "output-file",
] as const;

/** Codes whose fault lies with the farm, its host or its upstream: exit code 3. */
const FARM_CODES = [
  "needs-root",
  "host-lacks",
  "no-farm",
  "no-network",
  "upstream",
  "upstream-hash",
  "farm-refused",
  "disk-full",
  "image-build",
  "image-bad",
  "machine-start",
  "vm-resume",
  "agent-lost",
  "channel",
  "launcher",
  "store",
  "bucket",
  "isolation",
  "deadline",
  "interrupted",
  "internal",
] as const;

export type InputErrorCode = (typeof INPUT_CODES)[number];
export type FarmErrorCode = (typeof FARM_CODES)[number];
export type ErrorCode = InputErrorCode | FarmErrorCode;

/** What helps with most faults of a code; whoever knows better says so. */
const USUAL_STEPS: Partial<Record<ErrorCode, string>> = {
  "no-farm": "start it with ./creamery up",
  "no-network": "check this host's network with `./creamery doctor`",
  "needs-lfs": "test a release, or an archive that holds these files themselves",
  upstream: "try again later; the fault lies upstream",
  "upstream-hash": "try again; if it stays so, the index or the way to it can't be trusted",
  "farm-refused":
    "look at the token that was shown (docs/principals.md), and at what the farm's log says of it",
  deadline: "try again when this host or its network is less busy",
};

const SHORT_CHARS = 4;

const inputCodes: ReadonlySet<string> = new Set(INPUT_CODES);

export interface ErrorDetails {
  /** What was given: a name, a path, a flag. */
  readonly input?: string;
  /** What to do next, as a sentence for a person; by default what helps with most faults of the code. */
  readonly nextStep?: string;
  /** The signal that ended the command, for `interrupted`. */
  readonly signal?: EndingSignal;
  readonly cause?: unknown;
}

/** What a person or a system ends a command with. */
export type EndingSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

export class CreameryError extends Error {
  readonly code: ErrorCode;
  readonly input: string | undefined;
  readonly nextStep: string | undefined;
  readonly signal: EndingSignal | undefined;

  /** @param reason why it failed, one line, without the next step. */
  constructor(code: ErrorCode, reason: string, details: ErrorDetails = {}) {
    super(reason, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "CreameryError";
    this.code = code;
    this.input = details.input;
    this.nextStep = details.nextStep ?? USUAL_STEPS[code];
    this.signal = details.signal;
  }

  /** 2 for bad usage or input, 3 for the farm's own fault; of a signal what a shell makes of it, 130 for Ctrl-C. */
  get exitCode(): number {
    if (this.signal !== undefined) return 128 + constants.signals[this.signal];
    return inputCodes.has(this.code) ? 2 : 3;
  }

  /** One line: input, reason, next step. */
  get line(): string {
    const { input: given } = this;
    // A word as short as `a` is in every message.
    const told =
      given === undefined || (given.length >= SHORT_CHARS && this.message.includes(given));
    const input = told ? "" : `${given === "" ? "''" : given}: `;
    const next = this.nextStep === undefined ? "" : `; ${this.nextStep}`;
    return `${input}${this.message}${next}`;
  }
}

/** The message of anything thrown, for the end of a sentence. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Of anything thrown, one line for a person: a fault of ours with its input and its next step. */
export function lineOfFault(thrown: unknown): string {
  return thrown instanceof CreameryError ? thrown.line : reasonOf(thrown);
}

/** A full disk or a used-up quota, as a fault that names what was being written; null for anything else. */
export function diskFullFault(thrown: unknown, input: string): CreameryError | null {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  if (code !== "ENOSPC" && code !== "EDQUOT") return null;
  return new CreameryError(
    "disk-full",
    code === "ENOSPC" ? "the disk is full" : "the disk quota is used up",
    {
      input,
      nextStep: "free some space, or set another directory (docs/configuration.md)",
      cause: thrown,
    },
  );
}

const farmCodes: ReadonlySet<string> = new Set(FARM_CODES);

/** Whether a word that came over a channel is one of the table's codes. */
export function isErrorCode(word: string): word is ErrorCode {
  return inputCodes.has(word) || farmCodes.has(word);
}
