import { randomBytes } from "node:crypto";
import { totalmem } from "node:os";

import { CreameryError } from "../../base/errors.ts";
import { within } from "../../base/within.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import type { MachineShape } from "../../launcher/protocol.ts";
import { AgentLink } from "../agent/agent-link.ts";
import { GuestPool } from "../guest-pool.ts";
import type { GuestSpec } from "../machine.ts";
import { PooledMachine } from "../pooled-machine.ts";
import { adoptionOf } from "./adoption.ts";
import { makeSnapshot, type SnapshotStep } from "./make-snapshot.ts";
import { prepareMigration, takeState } from "./migrate.ts";
import { QemuGuest } from "./qemu-guest.ts";
import { openQemu, type QemuProcess } from "./qemu-process.ts";

const HELLO_MS = 30_000;
/** Of the host's memory, for all virtual machines together. */
const MEMORY_SHARE = 0.7;
/** Of each, beside what its job may use. */
const MACHINE_BYTES = 512 * 1024 * 1024;

/** Measured on interpreters' start-up and CPU work against the same without a machine (docs/machines.md); KVM's is a guess. */
const SLOWNESS: Readonly<Record<MachineShape["accelerator"], number>> = { tcg: 18, kvm: 1.5 };

/** A process that waits to be given the state. */
interface Waiting {
  readonly machine: QemuProcess;
  readonly spec: GuestSpec;
  readonly began: number;
  usable: boolean;
}

export interface QemuMachineOptions {
  readonly accelerator: MachineShape["accelerator"];
  readonly launcher: LauncherClient;
  /** Is told how far the making of a snapshot is, which takes a minute or two and is done once. */
  readonly onSnapshot?: (step: SnapshotStep) => void;
}

/** Virtual machines, each a copy of one that was booted and warmed once. */
export class QemuMachine extends PooledMachine<Waiting, QemuGuest> {
  readonly kind = "qemu";
  readonly slowness: number;
  readonly #options: QemuMachineOptions;
  protected readonly pool: GuestPool<Waiting, QemuGuest>;
  /** One snapshot of a shape is made at a time, whoever waits for it. */
  readonly #making = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();

  constructor(options: QemuMachineOptions) {
    super();
    this.#options = options;
    this.slowness = SLOWNESS[options.accelerator];
    this.pool = new GuestPool<Waiting, QemuGuest>({
      prepare: (spec, signal) => this.#prepare(spec, signal),
      isUsable: ({ usable }) => usable,
      complete: (waiting, waitedMs, signal) => this.#complete(waiting, waitedMs, signal),
      discard: ({ machine }) => machine.end(),
      capacity: ({ memoryBytes }) =>
        Math.floor((totalmem() * MEMORY_SHARE) / (memoryBytes + MACHINE_BYTES)),
    });
  }

  /** Makes the snapshot of this spec if there is none, or none that is sound. @returns its key. */
  async ensureSnapshot(spec: GuestSpec, signal: AbortSignal): Promise<string> {
    const shape = this.#shape(spec);
    const find = async () =>
      await this.#options.launcher.request({ kind: "find-snapshot", ...shape }, { signal });
    if (!(await find()).ready) await this.#make(shape, signal);
    return (await find()).key;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new CreameryError("vm-resume", "the machine is being closed"));
    await Promise.allSettled(this.#making.values());
    await super[Symbol.asyncDispose]();
  }

  #shape({ imageId, memoryBytes, diskBytes }: GuestSpec): MachineShape {
    return { imageId, memoryBytes, diskBytes, accelerator: this.#options.accelerator };
  }

  async #make(shape: MachineShape, signal: AbortSignal): Promise<void> {
    const key = JSON.stringify(shape);
    let making = this.#making.get(key);
    if (making === undefined) {
      const { launcher, onSnapshot } = this.#options;
      // Whoever asked first may give up: others wait for it too.
      making = makeSnapshot(launcher, shape, this.#closing.signal, onSnapshot ?? (() => undefined));
      this.#making.set(key, making);
      void making.finally(() => this.#making.delete(key)).catch(() => undefined);
    }
    await within(making, { signal });
  }

  /** A process with its devices, waiting for the state. */
  async #prepare(spec: GuestSpec, signal: AbortSignal): Promise<Waiting> {
    const began = performance.now();
    const shape = this.#shape(spec);
    const { launcher } = this.#options;
    const attempt = () =>
      openQemu(
        launcher,
        async (guestId) => {
          const { started } = await launcher.request({
            kind: "start-copy",
            guestId,
            ...shape,
            cpuSeconds: spec.cpuSeconds,
          });
          return started;
        },
        signal,
      );
    let machine = await attempt();
    if (machine === null) {
      await this.#make(shape, signal);
      machine = await attempt();
    }
    if (machine === null)
      throw new CreameryError("vm-resume", "the snapshot that was made is not to be found", {
        nextStep: "see `creamery snapshot list`, then run the same command again",
      });
    try {
      await Promise.race([prepareMigration(machine.control, signal), machine.failed]);
    } catch (thrown) {
      await machine.end();
      throw thrown;
    }
    const waiting: Waiting = { machine, spec, began, usable: true };
    machine.failed.catch(() => {
      waiting.usable = false;
    });
    return waiting;
  }

  /** Gives it the state, makes it one of its own, and waits for its agent. */
  async #complete(
    { machine, spec, began }: Waiting,
    waitedMs: () => number | null,
    signal: AbortSignal,
  ): Promise<QemuGuest> {
    const { guestId, control, agent, failed, socketDirectory } = machine;
    const nonce = randomBytes(16).toString("hex");
    const giveUp = new AbortController();
    try {
      const accepted = AgentLink.accept({
        guest: agent,
        nonce,
        deadlineMs: HELLO_MS,
        signal: AbortSignal.any([signal, giveUp.signal]),
        limits: { coreBytes: 0 },
        adoption: adoptionOf(nonce, spec),
      });
      accepted.catch(() => undefined);
      await Promise.race([takeState(control, signal), failed]);
      await Promise.race([control.command("cont", {}, { signal }), failed]);
      const link = await Promise.race([accepted, failed]);
      failed.catch((error: unknown) =>
        link.abandon(
          error instanceof CreameryError && error.code === "disk-full"
            ? error
            : new CreameryError(
                "agent-lost",
                error instanceof Error ? error.message : "the virtual machine is gone",
              ),
        ),
      );
      return new QemuGuest({
        id: guestId,
        kind: "qemu",
        launcher: this.#options.launcher,
        link,
        socketDirectory,
        startMs: waitedMs() ?? performance.now() - began,
        release: () => machine.release(),
      });
    } catch (thrown) {
      giveUp.abort(new CreameryError("vm-resume", "the guest did not start"));
      await machine.end();
      throw thrown;
    }
  }
}
