import type { Cause, Outcome } from "../attempt.ts";
import type { AttemptEvidence, CounterEvidence, StepEvidence } from "../evidence.ts";
import { causeOf } from "./find.ts";

export interface End {
  readonly outcome: Outcome;
  readonly cause: Cause;
}

/** A step that met one of the agent's limits: time, silence or output. */
export function limitEnd(step: StepEvidence): End | null {
  switch (step.limit) {
    case "timeout":
    case "silent":
      return {
        outcome: "killed",
        cause: causeOf(allThreadsWait(step.text) ? "deadlock" : step.limit),
      };
    case "log-size":
      return { outcome: "killed", cause: causeOf("log-size") };
    case null:
      return null;
  }
}

const SPEAKS_OF = {
  pids: /Resource temporarily unavailable|can't start new thread|BlockingIOError|Cannot fork|fork: |EAGAIN|unable to create (?:new )?(?:native )?thread/i,
  disk: /No space left on device|ENOSPC|disk (?:is )?full|Errno 28|Disk quota exceeded/i,
} as const;

/**
 * A limit that the guest's counters say was met, and that what failed has to do with. Counters are the
 * truth about limits; an exit code is not (1 and 137 both end a process that wanted more memory).
 */
export function counterEnd(
  counters: CounterEvidence | null,
  text: string,
  lost: boolean,
): End | null {
  if (counters === null) return null;
  if (counters.oomKills > 0) return { outcome: "killed", cause: causeOf("oom") };
  if (counters.pidsRefused > 0 && (lost || SPEAKS_OF.pids.test(text)))
    return { outcome: "killed", cause: causeOf("pids") };
  if (counters.diskFull && (lost || SPEAKS_OF.disk.test(text)))
    return { outcome: "killed", cause: causeOf("disk") };
  return null;
}

/** The guest used up its CPU time: it is ended from outside, so the agent can't say so. */
export function cpuEnd(
  evidence: Pick<AttemptEvidence, "counters" | "cpuLimitSeconds">,
): End | null {
  const { counters, cpuLimitSeconds } = evidence;
  const spent =
    counters !== null && cpuLimitSeconds !== null && counters.cpuSeconds >= 0.98 * cpuLimitSeconds;
  return spent ? { outcome: "killed", cause: causeOf("timeout") } : null;
}

const SIGNAL_NUMBERS: Readonly<Record<number, string>> = {
  4: "SIGILL",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  9: "SIGKILL",
  11: "SIGSEGV",
};

/** What a signal ended: by itself, or reported by a shell as 128 + its number. */
export function signalEnd(step: StepEvidence): End | null {
  const signal =
    step.signal ??
    (step.code !== null && step.code > 128 ? (SIGNAL_NUMBERS[step.code - 128] ?? null) : null);
  if (signal === null) return null;
  return { outcome: "crash", cause: causeOf(crashKind(signal, step.text)) };
}

function crashKind(signal: string, text: string): "segfault" | "abort" | "assertion" {
  if (signal === "SIGSEGV" || signal === "SIGBUS") return "segfault";
  // glibc's, CPython's debug build's and Rust's or C++'s words for a broken invariant.
  const asserted =
    /Assertion [`'"‘][^\n]{0,300}failed|Assertion failed: |_PyObject_AssertFailed|panicked at [^\n]{0,500}assert/.test(
      text,
    );
  return signal === "SIGABRT" && asserted ? "assertion" : "abort";
}

/** A crash inside a process that the runner outlived (a worker of xdist, a forked test), told in its output. */
export function toldCrash(text: string): End | null {
  if (!/worker '\w{1,40}' crashed|\bcrashed with signal\b/.test(text)) return null;
  if (/Fatal Python error: Segmentation fault/.test(text))
    return { outcome: "crash", cause: causeOf("segfault") };
  return /Fatal Python error/.test(text) ? { outcome: "crash", cause: causeOf("abort") } : null;
}

// The innermost frame of a dumped thread follows its heading; these functions do nothing but wait for another thread.
const THREAD =
  /(?:Current thread|Thread) 0x[0-9a-f]{1,16}\b[^\n]{0,200}\(most recent call first\):\n[ \t]{1,8}File "([^"\n]{1,1000})", line \d{1,9} in (\w{1,200})/gm;
const WAITING: readonly { readonly file: RegExp; readonly functions: ReadonlySet<string> }[] = [
  {
    file: /\/threading\.py$/,
    functions: new Set([
      "wait",
      "acquire",
      "join",
      "_wait_for_tstate_lock",
      "__enter__",
      "wait_for",
      "_shutdown",
    ]),
  },
  { file: /\/queue\.py$|\/Queue\.py$/, functions: new Set(["get", "put", "join"]) },
  {
    file: /\/multiprocessing\/(?:synchronize|queues|connection|popen_fork|process|pool)\.py$/,
    functions: new Set([
      "acquire",
      "__enter__",
      "wait",
      "get",
      "put",
      "join",
      "poll",
      "_recv",
      "recv",
      "recv_bytes",
    ]),
  },
  {
    file: /\/concurrent\/futures\/\w+\.py$/,
    functions: new Set(["result", "wait", "shutdown", "_worker", "as_completed"]),
  },
];

/** Whether every thread of the dumped stacks waits for another one: what a deadlock looks like. */
export function allThreadsWait(text: string): boolean {
  const threads = [...text.matchAll(THREAD)];
  return (
    threads.length > 0 &&
    threads.every(([, path = "", name = ""]) =>
      WAITING.some(({ file, functions }) => file.test(path) && functions.has(name)),
    )
  );
}
