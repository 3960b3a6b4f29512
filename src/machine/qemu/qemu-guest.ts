import { CreameryError } from "../../base/errors.ts";
import { within } from "../../base/within.ts";
import type { Counters } from "../../launcher/protocol.ts";
import type { GuestCounts } from "../agent/agent-messages.ts";
import { AgentGuest, type AgentGuestParts } from "../agent-guest.ts";
import { diskOf } from "../disk-of.ts";
import type { GuestCounters, RefusedConnection } from "../machine.ts";

/** All that a job may write to lies on one disk of the machine's. */
const SCRATCH = ["/job"];

/** Of a guest that is about to be stopped. */
const LAST_ANSWER_MS = 2000;
const late = () => new CreameryError("agent-lost", "the guest did not say what it counted");

type Inside = GuestCounts & Pick<GuestCounters, "diskBytes">;

export interface QemuGuestParts extends AgentGuestParts<"qemu"> {
  /** Ends what watches over the machine's process. */
  readonly release: () => void;
}

/** A virtual machine: what its job may use is limited and counted by its own kernel, which no job is root of. */
export class QemuGuest extends AgentGuest<"qemu"> {
  readonly #release: () => void;
  #inside: Inside | undefined;

  constructor(parts: QemuGuestParts) {
    super(parts);
    this.#release = parts.release;
  }

  /** Names that were looked up: that an address was tried is seen by nobody outside of the machine. */
  async refusedConnections(): Promise<readonly RefusedConnection[]> {
    return this.usable ? await this.link.refusedConnections() : [];
  }

  protected async count({ cpuSeconds }: Counters, alive: boolean): Promise<GuestCounters> {
    if (alive) await this.#ask();
    const inside = this.#inside ?? {
      memoryPeakBytes: 0,
      oomKills: 0,
      pidsRefused: 0,
      diskBytes: 0,
      diskFull: false,
    };
    return { ...inside, cpuSeconds };
  }

  /** What only the machine knows is asked while it is there. */
  protected async beforeStop(): Promise<void> {
    if (this.link.fault !== null || this.#inside !== undefined) return;
    await within(this.#ask(), { deadline: { ms: LAST_ANSWER_MS, error: late } }).catch(
      () => undefined,
    );
  }

  protected afterAgent(): void {
    this.#release();
  }

  /** The answer before is kept when the agent can't say any more. */
  async #ask(): Promise<void> {
    try {
      const [counts, filesystems] = await Promise.all([
        this.link.counters(),
        this.link.filesystems(SCRATCH),
      ]);
      this.#inside = { ...counts, ...diskOf(filesystems, counts) };
    } catch {
      // It is lost, and told so elsewhere.
    }
  }
}
