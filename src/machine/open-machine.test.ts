import { expect, it } from "vitest";

import { CreameryError } from "../base/errors.ts";
import { LauncherClient } from "../launcher/client.ts";
import { toLauncherSchema } from "../launcher/protocol.ts";
import { autoMachine, isolates } from "./open-machine.ts";

/** A launcher of a host that has these runtimes. */
function hostWith(...runtimes: string[]): LauncherClient {
  const client: LauncherClient = new LauncherClient("/session", (raw) => {
    const message = toLauncherSchema.parse(raw);
    if (!("request" in message) || message.request.kind !== "probe-runtime") return;
    const { id, request } = message;
    const there = runtimes.includes(request.runtime);
    queueMicrotask(() =>
      client.receive(
        there
          ? { id, value: { version: "1" } }
          : { id, error: { code: "host-lacks", reason: `no ${request.runtime}` } },
      ),
    );
  });
  return client;
}

it("takes the strongest kind there is, and says why", async () => {
  const both = await autoMachine("container", { launcher: hostWith("gvisor", "container") });
  expect(both.machine.kind).toBe("gvisor");
  const one = await autoMachine("container", { launcher: hostWith("container") });
  expect([one.machine.kind, one.why]).toEqual(["container", expect.stringContaining("no gvisor")]);
});

it("never goes below what policy asks for", async () => {
  await expect(autoMachine("gvisor", { launcher: hostWith("container") })).rejects.toMatchObject({
    code: "isolation",
  });
  await expect(autoMachine("vm", { launcher: hostWith("gvisor", "container") })).rejects.toThrow(
    CreameryError,
  );
  expect([
    isolates("container", "gvisor"),
    isolates("gvisor", "gvisor"),
    isolates("gvisor", "vm"),
  ]).toEqual([false, true, false]);
});
