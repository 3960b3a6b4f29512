import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import { within } from "../../base/within.ts";
import { firstConnection } from "../agent/handshake.ts";
import { nextGuestId } from "../guest-ids.ts";
import { lastWords } from "../last-words.ts";
import { QmpClient } from "./qmp-client.ts";

/** To its greeting: with ten of them at once on two cores too. */
const CONNECT_MS = 30_000;
const HEARTBEAT_MS = 5000;
const SILENT_MS = 15_000;
const CONSOLE_BYTES = 65_536;

/** A QEMU that was started, and is controlled; what runs in it is another's business. */
export interface QemuProcess {
  readonly guestId: string;
  readonly socketDirectory: string;
  readonly control: QmpClient;
  /** The machine's port for the agent, which is there before the agent is. */
  readonly agent: Promise<Socket>;
  /** Rejects when the process ends or can't go on, and when QEMU is silent for too long. */
  readonly failed: Promise<never>;
  /** Closes the sockets and ends the watch; the process is the launcher's to end. */
  release(): void;
  /** Ends it, whatever it does. */
  end(): Promise<void>;
}

/**
 * @param start asks the launcher to start it, once all that it connects to listens.
 * @throws CreameryError `vm-resume`; what `start` throws; the signal's reason.
 */
export async function openQemu(
  launcher: LauncherClient,
  start: (guestId: string) => Promise<boolean>,
  signal: AbortSignal,
): Promise<QemuProcess | null> {
  const guestId = nextGuestId();
  const { socketDirectory } = await launcher.request({
    kind: "prepare-guest",
    guestId,
    runtime: "qemu",
  });
  const agentServer = createServer();
  const controlServer = createServer();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  let watch: NodeJS.Timeout | undefined;
  let control: QmpClient | undefined;
  const release = () => {
    clearTimeout(watch);
    launcher.forgetGuest(guestId);
    control?.close();
    agentServer.close();
    controlServer.close();
  };
  const end = async () => {
    release();
    await launcher.request({ kind: "stop-guest", guestId });
  };
  try {
    agentServer.listen(join(socketDirectory, "agent.sock"));
    controlServer.listen(join(socketDirectory, "qmp.sock"));
    await Promise.all([once(agentServer, "listening"), once(controlServer, "listening")]);
    launcher.onGuestEnded(guestId, (detail) => {
      failed.reject(
        new CreameryError("vm-resume", `the virtual machine ended: ${lastWords(detail)}`),
      );
    });
    const connected = firstConnection(controlServer, signal);
    const agent = firstConnection(agentServer, signal);
    for (const one of [connected, agent]) one.catch(() => undefined);
    if (!(await start(guestId))) {
      await end();
      return null;
    }
    // What `start` waits for (another command's snapshot, the image's disk) has no deadline here.
    const deadline = {
      ms: CONNECT_MS,
      error: () =>
        new CreameryError("vm-resume", `QEMU did not connect in ${CONNECT_MS / 1000} s`, {
          nextStep: "see that the host is not overloaded, then run the same command again",
        }),
    };
    const both = Promise.all([connected, agent]);
    const [socket] = await within(Promise.race([both, failed.promise]), { deadline, signal });
    control = await Promise.race([
      QmpClient.open(socket, {
        deadlineMs: CONNECT_MS,
        signal,
        onEvent: (event) => {
          if (event.event !== "BLOCK_IO_ERROR") return;
          const full = event.data.nospace === true;
          failed.reject(
            new CreameryError(
              full ? "disk-full" : "vm-resume",
              full
                ? "this host's disk is full: the virtual machine was stopped"
                : `this host's disk fails the virtual machine: ${event.data.reason ?? "no reason"}`,
            ),
          );
        },
      }),
      failed.promise,
    ]);
    // One connection of each is all that a machine makes.
    controlServer.close();
    agentServer.close();
    const opened = control;
    const beat = () => {
      watch = setTimeout(() => {
        opened.command("query-status", {}, { deadlineMs: SILENT_MS }).then(beat, (error: unknown) =>
          failed.reject(
            new CreameryError("agent-lost", `the virtual machine does not answer any more`, {
              cause: error,
            }),
          ),
        );
      }, HEARTBEAT_MS).unref();
    };
    beat();
    return {
      guestId,
      socketDirectory,
      control,
      agent,
      failed: failed.promise,
      release,
      end,
    };
  } catch (thrown) {
    await end().catch(() => undefined);
    signal.throwIfAborted();
    throw thrown;
  }
}

/** What the machine's kernel said last, for a start that failed; empty where QEMU can't be asked. */
export async function consoleOf(control: QmpClient): Promise<string> {
  try {
    const said = await control.command("ringbuf-read", { device: "console", size: CONSOLE_BYTES });
    return typeof said === "string" ? said : "";
  } catch {
    return "";
  }
}
