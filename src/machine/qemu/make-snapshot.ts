import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import type { MachineShape } from "../../launcher/protocol.ts";
import { warmSchema } from "../agent/agent-messages.ts";
import { readFirstMessage } from "../agent/handshake.ts";
import { prepareMigration, sendState, stopAtRest } from "./migrate.ts";
import { consoleOf, openQemu } from "./qemu-process.ts";
import type { QmpClient } from "./qmp-client.ts";

/** Under TCG a boot takes 10 s and the warming a minute and a half; on a busy host a multiple of it. */
const WARM_MS = 20 * 60_000;

/** A step of making one: `waiting` for another command that makes one, `disk`, `boot`, `warm`, `write`. */
export type SnapshotStep = "waiting" | "disk" | "boot" | "warm" | "write";

/**
 * Boots a machine, has it warmed, stops it, and lets the launcher keep what it left.
 * @throws CreameryError `vm-resume`, `host-lacks`, `disk-full`, `unknown-image`; the signal's reason.
 */
export async function makeSnapshot(
  launcher: LauncherClient,
  shape: MachineShape,
  signal: AbortSignal,
  onStep: (step: SnapshotStep) => void,
): Promise<void> {
  const machine = await openQemu(
    launcher,
    async (guestId) => {
      const { ready } = await launcher.request(
        { kind: "begin-snapshot", guestId, ...shape },
        {
          signal,
          onProgress: (step) => {
            if (step === "waiting" || step === "disk" || step === "boot") onStep(step);
          },
        },
      );
      return !ready;
    },
    signal,
  );
  // Another command made it meanwhile.
  if (machine === null) return;
  const { guestId, control, agent, failed } = machine;
  try {
    onStep("warm");
    const ending = AbortSignal.any([signal, AbortSignal.timeout(WARM_MS)]);
    const coming = readFirstMessage(await agent, warmSchema, ending);
    const ended = machineEnded(control, ending);
    for (const one of [coming, ended]) one.catch(() => undefined);
    const { message } = await Promise.race([coming, ended, failed]).catch(
      async (thrown: unknown) => {
        signal.throwIfAborted();
        // What its PID 1 said comes before what a kernel says of that one's end.
        const [before = ""] = (await consoleOf(control)).split(/\[ *[\d.]+\] Kernel panic/u);
        const said = clip(printableLine(before.trim().slice(-600)), 600);
        if (said === "" || !(thrown instanceof CreameryError)) throw thrown;
        throw new CreameryError("vm-resume", `${thrown.message}; its last words: ${said}`, {
          cause: thrown,
        });
      },
    );
    onStep("write");
    await stopAtRest(control, signal);
    await prepareMigration(control, signal);
    await sendState(control, signal);
    // It may be gone before it has answered.
    await control.command("quit", {}, { signal }).catch(() => undefined);
    const { op: _, ...facts } = message;
    await launcher.request({ kind: "keep-snapshot", guestId, ...facts });
  } finally {
    await machine.end();
  }
}

/** Rejects when the machine's kernel ends, which a template's QEMU waits after. */
async function machineEnded(control: QmpClient, signal: AbortSignal): Promise<never> {
  await control.event(({ event }) => event === "SHUTDOWN", { deadlineMs: WARM_MS, signal });
  throw new CreameryError("vm-resume", "the virtual machine ended while it booted");
}
