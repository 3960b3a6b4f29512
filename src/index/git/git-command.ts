import { spawn } from "node:child_process";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { withoutCredentials } from "../upstream/secret.ts";

export interface GitCommand {
  readonly argv: readonly string[];
  readonly cwd: string;
  /** Of the repository, as faults name it. */
  readonly url: string;
  /** Ends it, with all of its helpers. */
  readonly signal: AbortSignal;
  /** One of what `signal` is made of: the time is over. */
  readonly deadline: AbortSignal;
  /** A PEM file of whom to trust, in the place of the system's. */
  readonly caFile?: string;
  /** Of what it says; the rest is left out. */
  readonly maxChars?: number;
  /** Of each file that it writes, seen to by the kernel. */
  readonly maxFileBytes?: number;
  /** An open file that it and its helpers hold open too: a lock on it is held until the last of them has ended. */
  readonly holds?: number;
  /** Besides what every git of ours sees. */
  readonly env?: Readonly<Record<string, string>>;
  /** That it ends with 1 and complains of nothing means that there is none. */
  readonly noneIsOne?: boolean;
  /** What it reads. */
  readonly input?: string;
}

/** What every git of ours sees: no configuration of this host's, nobody who could be asked, https alone. */
export const GIT_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: "/usr/local/bin:/usr/bin:/bin",
  HOME: "/nonexistent",
  LC_ALL: "C",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
  GIT_ALLOW_PROTOCOL: "https",
  GIT_TERMINAL_PROMPT: "0",
  GIT_ASKPASS: "/bin/false",
};

/** Of address space, for one process: what a hostile pack can make git ask for ends somewhere. */
const MAX_ADDRESS_BYTES = 8 * 1024 ** 3;
/** For a git whose farm was killed: nobody else would end it. */
const ORPHAN_SECONDS = 1800;
const MAX_CHARS = 65_536;
/** The write fails and is told of: a git that the signal ended would leave its parent to guess why. */
const FAILS_AT_LIMIT = ["env", "--ignore-signal=XFSZ"];
const TOO_LARGE = /File too large/u;

/**
 * Runs git on this host, bounded.
 * @returns what it says.
 * @throws CreameryError `upstream`, `usage` (no such reference), `deadline`, `interrupted`, `host-lacks`.
 */
export function runGit(command: GitCommand): Promise<string> {
  const { signal, url } = command;
  const limits = [
    `--as=${MAX_ADDRESS_BYTES}`,
    ...(command.maxFileBytes === undefined ? [] : [`--fsize=${command.maxFileBytes}`]),
  ];
  const words = [...limits, ...FAILS_AT_LIMIT, "timeout", "--signal=KILL", String(ORPHAN_SECONDS)];
  return new Promise((resolve, reject) => {
    // A group of its own: git's helpers end with it.
    const child = spawn("prlimit", [...words, "git", ...command.argv], {
      env: {
        ...GIT_ENVIRONMENT,
        ...command.env,
        ...(command.caFile === undefined ? {} : { GIT_SSL_CAINFO: command.caFile }),
      },
      cwd: command.cwd,
      detached: true,
      stdio: ["pipe", "pipe", "pipe", ...(command.holds === undefined ? [] : [command.holds])],
    });
    // It may end before it has read all.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(command.input ?? "");
    let fault: CreameryError | null = null;
    const onAbort = (): void => {
      fault ??= command.deadline.aborted
        ? new CreameryError("deadline", "took too long to fetch", { input: url })
        : new CreameryError("interrupted", "was interrupted", { input: url });
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    };
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    const maxChars = command.maxChars ?? MAX_CHARS;
    let stdout = "";
    let stderr = "";
    // Each clip costs as much as all that is held: what is full is left alone.
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      if (stdout.length < maxChars) stdout = clip(stdout + chunk, maxChars);
    });
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      if (stderr.length < MAX_CHARS) stderr = clip(stderr + chunk, MAX_CHARS);
    });
    child.on("error", (cause) => {
      signal.removeEventListener("abort", onAbort);
      reject(
        fault ??
          new CreameryError("host-lacks", "git can't be run", {
            nextStep: "apt-get install git util-linux",
            cause,
          }),
      );
    });
    child.on("close", (code) => {
      signal.removeEventListener("abort", onAbort);
      if (fault !== null) reject(fault);
      else if (code === 0 || (code === 1 && stderr === "" && command.noneIsOne === true))
        resolve(stdout);
      else if (TOO_LARGE.test(stderr)) reject(tooLarge(command.maxFileBytes ?? 0, url));
      else reject(gitFault(stderr, url));
    });
  });
}

/** What is more than this host is to hold. */
export function tooLarge(maxBytes: number, url: string): CreameryError {
  return new CreameryError("upstream", `is larger than ${maxBytes} bytes`, {
    input: url,
    nextStep: "raise repositories.max_mib in creamery.toml if it is to be had",
    cause: new TooLarge(),
  });
}

/** It was fetched as far as it may be: another try would come as far. */
export function isTooLarge(thrown: unknown): thrown is CreameryError {
  return thrown instanceof CreameryError && thrown.cause instanceof TooLarge;
}

class TooLarge extends Error {}

export function noSuchReference(url: string): CreameryError {
  return new CreameryError("usage", "has no such branch, tag or commit", {
    input: url,
    nextStep: "give a branch, a tag or a whole commit hash",
  });
}

function gitFault(stderr: string, url: string): CreameryError {
  const line = printableLine(
    withoutCredentials(
      stderr
        .trim()
        .split("\n")
        .findLast((text) => /^(?:fatal|error):/u.test(text)) ?? "git failed",
    ),
  );
  if (/couldn't find remote ref|not our ref|no such remote ref/u.test(stderr))
    return noSuchReference(url);
  return new CreameryError("upstream", clip(line, 300), { input: url });
}
