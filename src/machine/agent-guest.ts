import { join } from "node:path";

import { CreameryError } from "../base/errors.ts";
import type { LauncherClient } from "../launcher/client.ts";
import type { Counters } from "../launcher/protocol.ts";
import type { MachineKind } from "../model/attempt.ts";
import type { AgentLink } from "./agent/agent-link.ts";
import type {
  ExecRequest,
  ExecResult,
  ExecSinks,
  FileSystemDifference,
  Guest,
  GuestCounters,
  MarkScope,
  RefusedConnection,
} from "./machine.ts";

/** Where the agent's relay to the index listens in the guest. */
const INDEX_ORIGIN = "http://127.0.0.1:8099";

export interface AgentGuestParts<Kind extends MachineKind> {
  readonly id: string;
  readonly kind: Kind;
  readonly launcher: LauncherClient;
  readonly link: AgentLink;
  readonly socketDirectory: string;
  readonly startMs: number;
}

/** A guest of any kind: its agent's answers, beside what the launcher counts from outside. */
export abstract class AgentGuest<Kind extends MachineKind> implements Guest {
  readonly id: string;
  readonly kind: Kind;
  readonly startMs: number;
  readonly agentVersion: string;
  readonly indexSocketPath: string;
  readonly indexOrigin = INDEX_ORIGIN;
  protected readonly link: AgentLink;
  protected readonly launcher: LauncherClient;
  protected lastCounters: GuestCounters | undefined;
  #stopped: Promise<void> | undefined;

  protected constructor(parts: AgentGuestParts<Kind>) {
    this.id = parts.id;
    this.kind = parts.kind;
    this.startMs = parts.startMs;
    this.link = parts.link;
    this.launcher = parts.launcher;
    this.agentVersion = parts.link.agentVersion;
    this.indexSocketPath = join(parts.socketDirectory, "index.sock");
  }

  /** Its agent still answers. */
  get usable(): boolean {
    return this.link.fault === null && this.#stopped === undefined;
  }

  async exec(request: ExecRequest, sinks: ExecSinks, signal: AbortSignal): Promise<ExecResult> {
    return await this.link.exec(request, sinks, signal);
  }

  async put(
    path: string,
    content: Buffer | AsyncIterable<Buffer>,
    options: { mode: number; owner: "root" | "job" },
  ): Promise<void> {
    await this.link.put(path, content, options);
  }

  async get(path: string, maxBytes: number): Promise<Buffer | null> {
    return await this.link.get(path, maxBytes);
  }

  async mark(name: string, scope?: MarkScope): Promise<void> {
    await this.link.mark(name, scope);
  }

  async difference(sinceMark: string): Promise<FileSystemDifference> {
    return await this.link.difference(sinceMark);
  }

  async counters(): Promise<GuestCounters> {
    if (this.#stopped !== undefined) {
      await this.#stopped;
      if (this.lastCounters === undefined)
        throw new CreameryError("agent-lost", "the guest was never counted", { input: this.id });
      return this.lastCounters;
    }
    const counted = await this.launcher.request({ kind: "guest-counters", guestId: this.id });
    this.lastCounters = await this.count(counted, true);
    return this.lastCounters;
  }

  abstract refusedConnections(): Promise<readonly RefusedConnection[]>;

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /**
   * The whole of the counters: what was counted outside, and what only the guest or its runtime knows.
   * @param alive whether the guest can still be asked.
   */
  protected abstract count(outside: Counters, alive: boolean): Promise<GuestCounters>;
  /** What must be done while the guest is still there, and what after the agent was told to end. */
  protected abstract beforeStop(): Promise<void>;
  protected abstract afterAgent(): void;

  async #stop(): Promise<void> {
    this.launcher.forgetGuest(this.id);
    await this.beforeStop();
    await this.link.stop();
    this.afterAgent();
    const { counters } = await this.launcher.request({ kind: "stop-guest", guestId: this.id });
    if (counters !== null) this.lastCounters = await this.count(counters, false);
  }
}
