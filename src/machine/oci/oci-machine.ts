import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import type { OciRuntime } from "../../launcher/protocol.ts";
import { AgentLink } from "../agent/agent-link.ts";
import { GuestPool } from "../guest-pool.ts";
import { nextGuestId } from "../guest-ids.ts";
import type { Guest, GuestSpec, Machine, MachineCapability } from "../machine.ts";
import { OciGuest } from "./oci-guest.ts";

const HELLO_MS = 20_000;

/** Measured on py-lmdb's and click's own tests against the same image without a guest (docs/machines.md). */
const SLOWNESS: Readonly<Record<OciRuntime, number>> = { gvisor: 2.5, container: 1.1 };

/** gVisor (`runsc`) or a container (`runc`): one OCI bundle, two runtimes. */
export class OciMachine implements Machine {
  readonly kind: OciRuntime;
  readonly slowness: number;
  readonly capabilities: Readonly<Record<MachineCapability, "supported" | "unsupported">> = {
    tracer: "unsupported",
    hold: "unsupported",
    terminal: "unsupported",
    "clock-offset": "unsupported",
    "filesystem-difference": "supported",
  };
  readonly #launcher: LauncherClient;
  readonly #pool: GuestPool<OciGuest, OciGuest>;

  constructor(kind: OciRuntime, launcher: LauncherClient) {
    this.kind = kind;
    this.slowness = SLOWNESS[kind];
    this.#launcher = launcher;
    this.#pool = new GuestPool<OciGuest, OciGuest>({
      prepare: (spec, signal) => this.#startFresh(spec, signal),
      isUsable: (guest) => guest.usable,
      complete: (guest, waitedMs) => {
        const startMs = waitedMs();
        return Promise.resolve(startMs === null ? guest : guest.startedIn(startMs));
      },
      discard: (guest) => guest.stop(),
      capacity: () => Number.POSITIVE_INFINITY,
    });
  }

  async start(spec: GuestSpec, signal: AbortSignal): Promise<Guest> {
    return await this.#pool.start(spec, signal);
  }

  startAhead(spec: GuestSpec, count: number): void {
    this.#pool.startAhead(spec, count);
  }

  keepReady(spec: GuestSpec, count: number): void {
    this.#pool.keepReady(spec, count);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool[Symbol.asyncDispose]();
  }

  async #startFresh(spec: GuestSpec, signal: AbortSignal): Promise<OciGuest> {
    const began = performance.now();
    const guestId = nextGuestId();
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
        guest: server,
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
      return new OciGuest({
        id: guestId,
        kind: this.kind,
        launcher,
        link,
        socketDirectory,
        traceLog,
        startMs: performance.now() - began,
        closeServer: () => server.close(),
      });
    } catch (thrown) {
      giveUp.abort(new CreameryError("machine-start", "the guest did not start"));
      server.close();
      launcher.forgetGuest(guestId);
      await launcher.request({ kind: "stop-guest", guestId }).catch(() => undefined);
      throw thrown;
    }
  }
}
