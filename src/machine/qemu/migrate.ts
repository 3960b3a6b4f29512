import { setTimeout as sleep } from "node:timers/promises";

import { CreameryError } from "../../base/errors.ts";
import { STATE_DESCRIPTOR } from "../../launcher/qemu/machine-arguments.ts";
import type { QmpClient } from "./qmp-client.ts";

/** A state is half a megabyte, and memory no part of it. */
const MIGRATE_MS = 60_000;
const REST_MS = 2000;
/** As the machine sees the socket that the launcher listens on. */
const STATE_SOCKET = "/sockets/state.sock";

/** Stops a machine that has just said that it waits: once it does, and its kernel has nothing left to do, which each copy would do first. */
export async function stopAtRest(control: QmpClient, signal: AbortSignal): Promise<void> {
  await sleep(REST_MS, undefined, { signal });
  await control.command("stop", {}, { signal });
}

/** For template and copy alike: memory stays in its file, and how far it is, is told by events. */
export async function prepareMigration(control: QmpClient, signal: AbortSignal): Promise<void> {
  await control.command(
    "migrate-set-capabilities",
    {
      capabilities: ["x-ignore-shared", "events"].map((capability) => ({
        capability,
        state: true,
      })),
    },
    { signal },
  );
}

/** Writes the stopped machine's state to who listens in its socket directory. @throws CreameryError `vm-resume`. */
export async function sendState(
  control: QmpClient,
  signal: AbortSignal,
  socketPath = STATE_SOCKET,
): Promise<void> {
  await control.command("migrate", { uri: `unix:${socketPath}` }, { signal });
  await completed(control, signal);
}

/** Gives a waiting copy the template's state. @throws CreameryError `vm-resume`. */
export async function takeState(control: QmpClient, signal: AbortSignal): Promise<void> {
  await control.command("migrate-incoming", { uri: `fd:${STATE_DESCRIPTOR}` }, { signal });
  await completed(control, signal);
}

async function completed(control: QmpClient, signal: AbortSignal): Promise<void> {
  const event = await control.event(
    (told) =>
      told.event === "MIGRATION" &&
      (told.data.status === "completed" || told.data.status === "failed"),
    { deadlineMs: MIGRATE_MS, signal },
  );
  if (event.event !== "MIGRATION" || event.data.status !== "completed")
    throw new CreameryError("vm-resume", "QEMU can't go on with the snapshot's state", {
      nextStep: "remove the snapshot: `creamery snapshot list`, `creamery snapshot rm KEY`",
    });
}
