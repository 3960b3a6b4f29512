import { join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import type { Counters, Runtime } from "../../launcher/protocol.ts";
import type { AgentLink, FileSystemState } from "../agent/agent-link.ts";
import type {
  ExecRequest,
  ExecResult,
  ExecSinks,
  FileSystemDifference,
  Guest,
  GuestCounters,
  GuestSpec,
  MarkScope,
  RefusedConnection,
} from "../machine.ts";
import { readTraceLog, type TraceEvidence } from "./trace-log.ts";

/** Where the agent's relay to the index listens in the guest. */
const INDEX_ORIGIN = "http://127.0.0.1:8099";
/** Where package code may write, each bounded by gVisor itself: only the guest can say how full they are. */
const BOUNDED = ["/job", "/tmp", "/home/tester", "/var/tmp"];

export interface OciGuestParts {
  readonly id: string;
  readonly kind: Runtime;
  readonly spec: GuestSpec;
  readonly launcher: LauncherClient;
  readonly link: AgentLink;
  readonly socketDirectory: string;
  readonly traceLog: string | null;
  readonly startMs: number;
  /** Closes the agent's socket. */
  readonly closeServer: () => void;
}

/** A guest of gVisor or of a container: the agent's answers, beside what the launcher counts from outside. */
export class OciGuest implements Guest {
  readonly id: string;
  readonly kind: Runtime;
  readonly startMs: number;
  readonly agentVersion: string;
  readonly indexSocketPath: string;
  readonly indexOrigin = INDEX_ORIGIN;
  readonly #parts: OciGuestParts;
  #stopped: Promise<void> | undefined;
  #lastCounters: GuestCounters | undefined;
  #lastTrace: TraceEvidence | undefined;

  constructor(parts: OciGuestParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.kind = parts.kind;
    this.startMs = parts.startMs;
    this.agentVersion = parts.link.agentVersion;
    this.indexSocketPath = join(parts.socketDirectory, "index.sock");
  }

  /** The same guest as if it had started in so many ms: for one that waited in a pool. */
  startedIn(startMs: number): OciGuest {
    return new OciGuest({ ...this.#parts, startMs });
  }

  /** Its agent still answers. */
  get usable(): boolean {
    return this.#parts.link.fault === null && this.#stopped === undefined;
  }

  async exec(request: ExecRequest, sinks: ExecSinks, signal: AbortSignal): Promise<ExecResult> {
    return await this.#parts.link.exec(request, sinks, signal);
  }

  async put(
    path: string,
    content: Buffer | AsyncIterable<Buffer>,
    options: { mode: number; owner: "root" | "job" },
  ): Promise<void> {
    await this.#parts.link.put(path, content, options);
  }

  async get(path: string, maxBytes: number): Promise<Buffer | null> {
    return await this.#parts.link.get(path, maxBytes);
  }

  async mark(name: string, scope?: MarkScope): Promise<void> {
    await this.#parts.link.mark(name, scope);
  }

  async difference(sinceMark: string): Promise<FileSystemDifference> {
    return await this.#parts.link.difference(sinceMark);
  }

  async counters(): Promise<GuestCounters> {
    if (this.#stopped !== undefined) {
      await this.#stopped;
      if (this.#lastCounters === undefined)
        throw new CreameryError("agent-lost", "the guest was never counted", { input: this.id });
      return this.#lastCounters;
    }
    const { launcher, id, kind } = this.#parts;
    const counted = await launcher.request({ kind: "guest-counters", guestId: id });
    this.#lastCounters = await this.#whole(
      counted,
      kind === "gvisor" ? await this.#disk() : undefined,
    );
    return this.#lastCounters;
  }

  /** Names looked up in the guest, and (gVisor) addresses it tried to reach, as seen from outside of it. */
  async refusedConnections(): Promise<readonly RefusedConnection[]> {
    const names = this.usable ? await this.#parts.link.refusedConnections() : [];
    return [...names, ...(await this.#trace()).connections];
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    const { launcher, id, link, closeServer } = this.#parts;
    launcher.forgetGuest(id);
    await this.#trace();
    await link.stop();
    closeServer();
    const { counters } = await launcher.request({ kind: "stop-guest", guestId: id });
    if (counters === null) return;
    const disk = this.#lastCounters;
    this.#lastCounters = await this.#whole(counters, this.kind === "gvisor" ? disk : undefined);
  }

  async #whole(
    counted: Counters,
    disk: Pick<GuestCounters, "diskBytes" | "diskFull"> | undefined,
  ): Promise<GuestCounters> {
    const { processesRefused } = await this.#trace();
    return {
      ...counted,
      pidsRefused: counted.pidsRefused + processesRefused,
      diskBytes: Math.max(counted.diskBytes, disk?.diskBytes ?? 0),
      diskFull: counted.diskFull || (disk?.diskFull ?? false),
    };
  }

  async #trace(): Promise<TraceEvidence> {
    const { traceLog } = this.#parts;
    if (traceLog === null) return { connections: [], processesRefused: 0 };
    try {
      this.#lastTrace = await readTraceLog(traceLog);
    } catch {
      // The guest is stopped and its log gone: what was read before holds.
    }
    return this.#lastTrace ?? { connections: [], processesRefused: 0 };
  }

  /** What gVisor's own file systems hold; the answer before is kept when the agent can't say any more. */
  async #disk(): Promise<Pick<GuestCounters, "diskBytes" | "diskFull"> | undefined> {
    try {
      return diskOf(await this.#parts.link.filesystems(BOUNDED), this.#lastCounters);
    } catch {
      return this.#lastCounters;
    }
  }
}

/** `before` keeps a disk that was full once known as full. */
export function diskOf(
  filesystems: readonly FileSystemState[],
  before?: Pick<GuestCounters, "diskFull">,
): Pick<GuestCounters, "diskBytes" | "diskFull"> {
  let diskBytes = 0;
  let diskFull = before?.diskFull ?? false;
  for (const { blockBytes, blocks, freeBlocks } of filesystems) {
    if (blocks === 0) continue;
    diskBytes += Math.max(0, blocks - freeBlocks) * blockBytes;
    const room = Math.min(1024 * 1024, (blocks * blockBytes) / 100);
    if (freeBlocks * blockBytes < room) diskFull = true;
  }
  return { diskBytes, diskFull };
}
