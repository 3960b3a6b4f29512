import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import type { Runtime } from "../../launcher/protocol.ts";
import { AgentLink } from "../agent/agent-link.ts";
import type { Guest, GuestSpec, Machine, MachineCapability } from "../machine.ts";
import { OciGuest } from "./oci-guest.ts";

const HELLO_MS = 20_000;

/** Measured on py-lmdb's and click's own tests against the same image without a guest (docs/machines.md). */
const SLOWNESS: Readonly<Record<Runtime, number>> = { gvisor: 2.5, container: 1.1 };

interface Pool {
  readonly spec: GuestSpec;
  count: number;
  /** Idle ones and those on their way; each is handed out once. */
  readonly starting: Promise<OciGuest>[];
}

let lastGuest = 0;

/** gVisor (`runsc`) or a container (`runc`): one OCI bundle, two runtimes. */
export class OciMachine implements Machine {
  readonly kind: Runtime;
  readonly slowness: number;
  readonly capabilities: Readonly<Record<MachineCapability, "supported" | "unsupported">> = {
    tracer: "unsupported",
    hold: "unsupported",
    terminal: "unsupported",
    "clock-offset": "unsupported",
    "filesystem-difference": "supported",
  };
  readonly #launcher: LauncherClient;
  readonly #pools = new Map<string, Pool>();
  readonly #alive = new Set<OciGuest>();
  readonly #stopping = new Set<Promise<void>>();
  readonly #disposed = new AbortController();

  constructor(kind: Runtime, launcher: LauncherClient) {
    this.kind = kind;
    this.slowness = SLOWNESS[kind];
    this.#launcher = launcher;
  }

  async start(spec: GuestSpec, signal: AbortSignal): Promise<Guest> {
    signal.throwIfAborted();
    const began = performance.now();
    const pool = this.#pools.get(keyOf(spec));
    for (
      let waiting = pool?.starting.shift();
      waiting !== undefined;
      waiting = pool?.starting.shift()
    ) {
      if (pool !== undefined) this.#fill(pool);
      // One that failed to start says nothing of the next; one that died while it waited is passed over.
      const guest = await waiting.catch(() => undefined);
      if (guest === undefined) continue;
      if (signal.aborted || !guest.usable) {
        await guest.stop();
        signal.throwIfAborted();
        continue;
      }
      return this.#handOut(guest, performance.now() - began);
    }
    return this.#handOut(await this.#startFresh(spec, signal), undefined);
  }

  startAhead(spec: GuestSpec, count: number): void {
    const pool = this.#pool(spec);
    for (let started = 0; started < count; started++) this.#startInto(pool);
  }

  keepReady(spec: GuestSpec, count: number): void {
    const pool = this.#pool(spec);
    pool.count = count;
    this.#fill(pool);
    for (const surplus of pool.starting.splice(count)) this.#drop(surplus);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort(new CreameryError("machine-start", "the machine is being closed"));
    for (const pool of this.#pools.values()) {
      pool.count = 0;
      for (const surplus of pool.starting.splice(0)) this.#drop(surplus);
    }
    await Promise.allSettled([...this.#alive].map((guest) => guest.stop()));
    await Promise.allSettled(this.#stopping);
  }

  #pool(spec: GuestSpec): Pool {
    const key = keyOf(spec);
    const pool = this.#pools.get(key) ?? { spec, count: 0, starting: [] };
    this.#pools.set(key, pool);
    return pool;
  }

  #fill(pool: Pool): void {
    while (pool.starting.length < pool.count && !this.#disposed.signal.aborted)
      this.#startInto(pool);
  }

  #startInto(pool: Pool): void {
    const starting = this.#startFresh(pool.spec, this.#disposed.signal);
    starting.catch(() => {
      // A pool that can't be filled is no fault yet: `start` tries itself, and says why.
      pool.count = 0;
    });
    pool.starting.push(starting);
  }

  #drop(starting: Promise<OciGuest>): void {
    const done = starting.then(
      (guest) => guest.stop(),
      () => undefined,
    );
    this.#stopping.add(done);
    void done.finally(() => this.#stopping.delete(done)).catch(() => undefined);
  }

  #handOut(guest: OciGuest, waitedMs: number | undefined): Guest {
    const handed = waitedMs === undefined ? guest : guest.startedIn(waitedMs);
    this.#alive.delete(guest);
    this.#alive.add(handed);
    return handed;
  }

  async #startFresh(spec: GuestSpec, signal: AbortSignal): Promise<OciGuest> {
    const began = performance.now();
    const guestId = `g${++lastGuest}`;
    const launcher = this.#launcher;
    const nonce = randomBytes(16).toString("hex");
    const { socketDirectory, traceLog } = await launcher.request({
      kind: "prepare-guest",
      guestId,
      runtime: this.kind,
    });
    const server = createServer();
    const ended = Promise.withResolvers<never>();
    ended.promise.catch(() => undefined);
    const giveUp = new AbortController();
    try {
      server.listen(join(socketDirectory, "agent.sock"));
      await once(server, "listening");
      launcher.onGuestEnded(guestId, (detail) => {
        const said = clip(printableLine(detail.trim().split("\n").slice(-3).join(" ")), 500);
        const reason = said === "" ? "it said nothing" : said;
        ended.reject(
          new CreameryError(
            "machine-start",
            `the ${this.kind} guest ended before its agent's hello: ${reason}`,
          ),
        );
      });
      const accepted = AgentLink.accept({
        server,
        nonce,
        deadlineMs: HELLO_MS,
        signal: AbortSignal.any([signal, giveUp.signal]),
        limits: this.kind === "gvisor" ? { processes: spec.pids, coreBytes: 0 } : { coreBytes: 0 },
      });
      accepted.catch(() => undefined);
      await launcher.request({
        kind: "start-guest",
        guestId,
        nonce,
        imageId: spec.imageId,
        memoryBytes: spec.memoryBytes,
        diskBytes: spec.diskBytes,
        cpuSeconds: spec.cpuSeconds,
        pids: spec.pids,
      });
      const link = await Promise.race([accepted, ended.promise]);
      launcher.forgetGuest(guestId);
      // One connection is all a guest's agent makes.
      server.close();
      const guest = new OciGuest({
        id: guestId,
        kind: this.kind,
        spec,
        launcher,
        link,
        socketDirectory,
        traceLog,
        startMs: performance.now() - began,
        closeServer: () => server.close(),
      });
      this.#alive.add(guest);
      return guest;
    } catch (thrown) {
      giveUp.abort(new CreameryError("machine-start", "the guest did not start"));
      server.close();
      launcher.forgetGuest(guestId);
      await launcher.request({ kind: "stop-guest", guestId }).catch(() => undefined);
      throw thrown;
    }
  }
}

function keyOf(spec: GuestSpec): string {
  return JSON.stringify([
    spec.imageId,
    spec.memoryBytes,
    spec.cpuSeconds,
    spec.pids,
    spec.diskBytes,
  ]);
}
