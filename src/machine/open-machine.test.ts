import { expect, it } from "vitest";

import { CreameryError } from "../base/errors.ts";
import { LauncherClient } from "../launcher/client.ts";
import { toLauncherSchema } from "../launcher/protocol.ts";
import { autoMachine, isolates, openMachine } from "./open-machine.ts";

/** A launcher of a host that has these runtimes, and a KVM that works or does not. */
function hostWith(runtimes: readonly string[], kvmWorks = false): LauncherClient {
  const client: LauncherClient = new LauncherClient("/session", (raw) => {
    const message = toLauncherSchema.parse(raw);
    if (!("request" in message)) return;
    const { id, request } = message;
    if (request.kind === "probe-kvm")
      queueMicrotask(() =>
        client.receive({
          id,
          value: { works: kvmWorks, reason: kvmWorks ? "it boots" : "it hangs" },
        }),
      );
    if (request.kind !== "probe-runtime") return;
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

const ALL = ["qemu", "gvisor", "container"];
/** A host with a device of KVM, and one without. */
const withDevice = { imageId: Promise.resolve("an-image"), kvmDevice: "/dev/null" };
const without = { ...withDevice, kvmDevice: "/dev/no-such-device" };

it.each([
  ["KVM boots a guest", hostWith(ALL, true), withDevice, "qemu", "qemu with KVM is the best"],
  ["KVM only seems to", hostWith(ALL), withDevice, "gvisor", "qemu with KVM: it hangs"],
  ["there is no KVM", hostWith(ALL, true), without, "gvisor", "there is no /dev/no-such-device"],
  ["there is no gVisor", hostWith(["qemu", "container"]), without, "qemu", "no gvisor"],
  ["there is a container only", hostWith(["container"]), without, "container", "no qemu"],
] as const)(
  "where %s takes the best kind there is, and says why",
  async (_, launcher, more, kind, why) => {
    const found = await autoMachine("container", { launcher, ...more });
    expect([found.machine.kind, found.why]).toEqual([kind, expect.stringContaining(why)]);
  },
);

it("a machine without KVM is as slow as it is", async () => {
  const slowness = async (kvmWorks: boolean) =>
    (await openMachine("qemu", { launcher: hostWith(ALL, kvmWorks), ...withDevice })).slowness;
  expect(await slowness(false)).toBeGreaterThan(5 * (await slowness(true)));
});

it("never goes below what policy asks for", async () => {
  await expect(
    autoMachine("gvisor", { launcher: hostWith(["container"]), ...without }),
  ).rejects.toMatchObject({ code: "isolation" });
  await expect(
    autoMachine("vm", { launcher: hostWith(["gvisor", "container"]), ...withDevice }),
  ).rejects.toThrow(CreameryError);
  const virtual = await autoMachine("vm", { launcher: hostWith(ALL), ...withDevice });
  expect([virtual.machine.kind, virtual.why]).toEqual([
    "qemu",
    expect.stringContaining("qemu without KVM is the best"),
  ]);
  expect([
    isolates("container", "gvisor"),
    isolates("gvisor", "gvisor"),
    isolates("gvisor", "vm"),
    isolates("qemu", "vm"),
    isolates("qemu", "gvisor"),
  ]).toEqual([false, true, false, true, true]);
});
