import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import type { OciRuntime } from "../../launcher/protocol.ts";
import { AgentLink } from "../agent/agent-link.ts";
import { GuestPool } from "../guest-pool.ts";
import { nextGuestId } from "../guest-ids.ts";
import { lastWords } from "../last-words.ts";
import type { GuestSpec } from "../machine.ts";
import { PooledMachine } from "../pooled-machine.ts";
import { OciGuest } from "./oci-guest.ts";

const HELLO_MS = 20_000;

/** Measured on py-lmdb's and click's own tests against the same image without a guest (docs/machines.md). */
const SLOWNESS: Readonly<Record<OciRuntime, number>> = { gvisor: 2.5, container: 1.1 };

/** gVisor (`runsc`) or a container (`runc`): one OCI bundle, two runtimes. */
export class OciMachine extends PooledMachine<OciGuest, OciGuest> {
  readonly kind: OciRuntime;
  readonly slowness: number;
  readonly #launcher: LauncherClient;
  protected readonly pool: GuestPool<OciGuest, OciGuest>;

  constructor(kind: OciRuntime, launcher: LauncherClient) {
    super();
    this.kind = kind;
    this.slowness = SLOWNESS[kind];
    this.#launcher = launcher;
    this.pool = new GuestPool<OciGuest, OciGuest>({
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
        ended.reject(
          new CreameryError(
            "machine-start",
            `the ${this.kind} guest ended before its agent's hello: ${lastWords(detail)}`,
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
