import type { MachineKind } from "../model/attempt.ts";
import type { GuestPool } from "./guest-pool.ts";
import type { Guest, GuestSpec, Machine, MachineCapability } from "./machine.ts";

/** A machine kind whose guests come out of a pool: what all kinds have in common. */
export abstract class PooledMachine<Waiting, Made extends Guest> implements Machine {
  abstract readonly kind: MachineKind;
  abstract readonly slowness: number;
  readonly capabilities: Readonly<Record<MachineCapability, "supported" | "unsupported">> = {
    tracer: "unsupported",
    hold: "unsupported",
    terminal: "unsupported",
    "clock-offset": "unsupported",
    "filesystem-difference": "supported",
  };
  protected abstract readonly pool: GuestPool<Waiting, Made>;

  async start(spec: GuestSpec, signal: AbortSignal): Promise<Guest> {
    return await this.pool.start(spec, signal);
  }

  startAhead(spec: GuestSpec, count: number): void {
    this.pool.startAhead(spec, count);
  }

  keepReady(spec: GuestSpec, count: number): void {
    this.pool.keepReady(spec, count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool[Symbol.asyncDispose]();
  }
}
