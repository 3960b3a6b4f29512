import type { MachineKind } from "../model/attempt.ts";

/**
 * A fresh guest behind one interface, whatever runs it. A kind that cannot do something declares it
 * `unsupported`; callers ask before they use it. Knows nothing of Python.
 */
export interface Machine {
  readonly kind: MachineKind;
  readonly capabilities: Readonly<Record<MachineCapability, "supported" | "unsupported">>;
  /** How many times slower than native its tests may run: limits are multiplied by it. */
  readonly slowness: number;
  /**
   * Starts one fresh guest and waits for its agent's hello.
   * @throws CreameryError `machine-start` or `agent-lost`.
   */
  start(spec: GuestSpec, signal: AbortSignal): Promise<Guest>;
  /** Starts so many guests of this spec now; the next calls of `start` with it are given them, each once. */
  startAhead(spec: GuestSpec, count: number): void;
  /** Keeps up to `count` guests of this spec ready; a pooled guest is handed out once by `start`. */
  keepReady(spec: GuestSpec, count: number): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export type MachineCapability =
  | "tracer"
  | "hold"
  | "terminal"
  | "clock-offset"
  | "filesystem-difference";

export interface GuestSpec {
  readonly imageId: string;
  readonly memoryBytes: number;
  /** Of CPU time all the guest's processes may use together, seconds. */
  readonly cpuSeconds: number;
  readonly pids: number;
  /** What the guest may write, on disk and in memory-backed file systems together. */
  readonly diskBytes: number;
}

/** Read outside the guest (cgroup counters, file systems): truth about limits, whatever exit codes say. */
export interface GuestCounters {
  readonly memoryPeakBytes: number;
  readonly oomKills: number;
  readonly pidsRefused: number;
  readonly cpuSeconds: number;
  readonly diskBytes: number;
  readonly diskFull: boolean;
}

/** Attempts to reach anything but the attempt's index: evidence. */
export interface RefusedConnection {
  /** `host:port`, `address:port` or a name that was looked up. */
  readonly target: string;
  readonly kind: "dns" | "connect";
  readonly count: number;
}

export interface ExecRequest {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** `job`: the unprivileged user all package code runs as. */
  readonly user: "root" | "job";
  readonly wallMs: number;
  /** No output on any stream for so long ends it; 0 for no such limit. */
  readonly silenceMs: number;
  readonly outputBytes: number;
  /** A reporter in the process sends events (newline-separated JSON) through a pipe of its own. */
  readonly events: boolean;
  /** Python processes: stacks are dumped before a process is ended at a limit. */
  readonly dumpStacks: boolean;
}

export interface ExecResult {
  /** Exit code, or null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
  /** The limit that ended it, if one did. */
  readonly limit: "timeout" | "silent" | "log-size" | null;
  readonly seconds: number;
  /** Bytes of output seen, before any bound cut it. */
  readonly outputBytes: number;
}

export interface ExecSinks {
  output(stream: "stdout" | "stderr", chunk: Buffer): void;
  event?(line: string): void;
}

/** `system`: only what the job has no right to change, which is quick; `everything` walks its own places too. */
export type MarkScope = "everything" | "system";

/** Difference of the guest's file system between two marks, paths outside the job's own directories first. */
export interface FileSystemDifference {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  readonly truncated: boolean;
}

export interface Guest extends AsyncDisposable {
  readonly id: string;
  readonly kind: MachineKind;
  /** From start() to the agent's hello, ms; 0 when it was waiting in a pool. */
  readonly startMs: number;
  readonly agentVersion: string;
  /** Absolute path on the host of the Unix socket that the guest's HTTP relay connects to; the index listens there. */
  readonly indexSocketPath: string;
  /** In the guest, where the relay to the index socket listens: `http://127.0.0.1:PORT`. */
  readonly indexOrigin: string;
  exec(request: ExecRequest, sinks: ExecSinks, signal: AbortSignal): Promise<ExecResult>;
  /** Writes bytes to a file in the guest; parents are made. `owner` as in ExecRequest.user. */
  put(
    path: string,
    content: Buffer | AsyncIterable<Buffer>,
    options: { mode: number; owner: "root" | "job" },
  ): Promise<void>;
  /** Reads at most `maxBytes` of a regular file; null when there is none. */
  get(path: string, maxBytes: number): Promise<Buffer | null>;
  /** Marks the file system's present state, and says what differs from an earlier mark. */
  mark(name: string, scope?: MarkScope): Promise<void>;
  difference(sinceMark: string): Promise<FileSystemDifference>;
  counters(): Promise<GuestCounters>;
  refusedConnections(): Promise<readonly RefusedConnection[]>;
  /** Ends it, and removes all that it left. Idempotent; quick: removal of what is slow goes on behind. */
  stop(): Promise<void>;
}
