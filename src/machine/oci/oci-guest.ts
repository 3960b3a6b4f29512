import type { Counters, OciRuntime } from "../../launcher/protocol.ts";
import { AgentGuest, type AgentGuestParts } from "../agent-guest.ts";
import { diskOf } from "../disk-of.ts";
import type { GuestCounters, RefusedConnection } from "../machine.ts";
import { readTraceLog, type TraceEvidence } from "./trace-log.ts";

/** Where package code may write, each bounded by gVisor itself: only the guest can say how full they are. */
const BOUNDED = ["/job", "/tmp", "/home/tester", "/var/tmp"];

export interface OciGuestParts extends AgentGuestParts<OciRuntime> {
  readonly traceLog: string | null;
  /** Closes the agent's socket. */
  readonly closeServer: () => void;
}

/** A guest of gVisor or of a container. */
export class OciGuest extends AgentGuest<OciRuntime> {
  readonly #parts: OciGuestParts;
  #lastTrace: TraceEvidence | undefined;

  constructor(parts: OciGuestParts) {
    super(parts);
    this.#parts = parts;
  }

  /** The same guest as if it had started in so many ms: for one that waited in a pool. */
  startedIn(startMs: number): OciGuest {
    return new OciGuest({ ...this.#parts, startMs });
  }

  /** Names looked up in the guest, and (gVisor) addresses it tried to reach, as seen from outside of it. */
  async refusedConnections(): Promise<readonly RefusedConnection[]> {
    const names = this.usable ? await this.link.refusedConnections() : [];
    return [...names, ...(await this.#trace()).connections];
  }

  protected async count(outside: Counters, alive: boolean): Promise<GuestCounters> {
    const { processesRefused } = await this.#trace();
    const disk = this.kind === "gvisor" ? await this.#disk(alive) : undefined;
    return {
      ...outside,
      pidsRefused: outside.pidsRefused + processesRefused,
      diskBytes: Math.max(outside.diskBytes, disk?.diskBytes ?? 0),
      diskFull: outside.diskFull || (disk?.diskFull ?? false),
    };
  }

  protected async beforeStop(): Promise<void> {
    await this.#trace();
  }

  protected afterAgent(): void {
    this.#parts.closeServer();
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
  async #disk(alive: boolean): Promise<Pick<GuestCounters, "diskBytes" | "diskFull"> | undefined> {
    if (!alive) return this.lastCounters;
    try {
      return diskOf(await this.link.filesystems(BOUNDED), this.lastCounters);
    } catch {
      return this.lastCounters;
    }
  }
}
