import { existsSync } from "node:fs";

import { CreameryError, reasonOf } from "../base/errors.ts";
import { launcher as processLauncher, type LauncherClient } from "../launcher/client.ts";
import type { MachineShape } from "../launcher/protocol.ts";
import type { Machine } from "./machine.ts";
import { OciMachine } from "./oci/oci-machine.ts";
import type { SnapshotStep } from "./qemu/make-snapshot.ts";
import type { QemuMachine } from "./qemu/qemu-machine.ts";

const KVM = "/dev/kvm";

export type AvailableKind = "qemu" | "gvisor" | "container";
/** Policy `isolation.minimum`: nothing weaker is chosen. */
export type IsolationMinimum = "vm" | "gvisor" | "container";

export interface MachineDependencies {
  readonly launcher?: LauncherClient;
  /** Is given the machine before it is known whether its runtime works: what it starts is given up if it does not. */
  readonly ahead?: (machine: Machine) => void;
  /** The image that guests will have: whether KVM works is known by booting it. Without, KVM is not tried. */
  readonly imageId?: Promise<string>;
  /** The device of KVM; another one in tests. */
  readonly kvmDevice?: string;
  /** Is told when it is tried, which takes up to ten seconds and is done once until the host restarts. */
  readonly onProbe?: () => void;
  /** Is told how far the making of a snapshot is. */
  readonly onSnapshot?: (step: SnapshotStep) => void;
}

/** @throws CreameryError `host-lacks` when the runtime is not there or does not start. */
export async function openMachine(
  kind: AvailableKind,
  dependencies: MachineDependencies = {},
): Promise<Machine> {
  const launcher = dependencies.launcher ?? processLauncher();
  if (kind === "qemu") return await openQemuMachine(launcher, dependencies);
  await using unproven = new AsyncDisposableStack();
  const machine = unproven.use(new OciMachine(kind, launcher));
  dependencies.ahead?.(machine);
  await launcher.request({ kind: "probe-runtime", runtime: kind });
  unproven.move();
  return machine;
}

/** With KVM where it really boots a guest, else under TCG. */
export async function openQemuMachine(
  launcher: LauncherClient,
  dependencies: MachineDependencies,
): Promise<QemuMachine> {
  await launcher.request({ kind: "probe-runtime", runtime: "qemu" });
  const { works } = await kvm(launcher, dependencies);
  return await qemuMachine(works ? "kvm" : "tcg", launcher, dependencies);
}

/** Whether KVM boots a guest here, and why it is taken that it does or does not. */
export async function kvm(
  launcher: LauncherClient,
  { imageId, onProbe, kvmDevice = KVM }: MachineDependencies,
): Promise<{ works: boolean; reason: string }> {
  // Most hosts have none, and need not wait for the image to know it.
  if (!existsSync(kvmDevice)) return { works: false, reason: `there is no ${kvmDevice}` };
  if (imageId === undefined) return { works: false, reason: "KVM is tried with an image only" };
  return await launcher.request(
    { kind: "probe-kvm", imageId: await imageId },
    { onProgress: () => onProbe?.() },
  );
}

/** Loaded where it is taken: most commands run without. */
async function qemuMachine(
  accelerator: MachineShape["accelerator"],
  launcher: LauncherClient,
  { ahead, onSnapshot }: MachineDependencies,
): Promise<QemuMachine> {
  const loaded = await import("./qemu/qemu-machine.ts");
  const machine = new loaded.QemuMachine({
    accelerator,
    launcher,
    ...(onSnapshot === undefined ? {} : { onSnapshot }),
  });
  ahead?.(machine);
  return machine;
}

/** Whether policy lets this kind run tests, or confirm what failed elsewhere. */
export function isolates(kind: AvailableKind, minimum: IsolationMinimum): boolean {
  switch (minimum) {
    case "vm":
      return kind === "qemu";
    case "gvisor":
      return kind !== "container";
    case "container":
      return true;
  }
}

/** In the order of `auto`: near-native and isolated first, then quick, then isolated, then neither. */
const CANDIDATES: readonly {
  readonly kind: AvailableKind;
  readonly name: string;
  open(launcher: LauncherClient, dependencies: MachineDependencies): Promise<Machine>;
}[] = [
  {
    kind: "qemu",
    name: "qemu with KVM",
    open: async (launcher, dependencies) => {
      const { works, reason } = await kvm(launcher, dependencies);
      if (!works) throw new CreameryError("host-lacks", reason);
      return await qemuMachine("kvm", launcher, dependencies);
    },
  },
  {
    kind: "gvisor",
    name: "gvisor",
    open: (_, dependencies) => openMachine("gvisor", dependencies),
  },
  {
    kind: "qemu",
    name: "qemu without KVM",
    open: async (launcher, dependencies) => {
      await launcher.request({ kind: "probe-runtime", runtime: "qemu" });
      return await qemuMachine("tcg", launcher, dependencies);
    },
  },
  {
    kind: "container",
    name: "container",
    open: (_, dependencies) => openMachine("container", dependencies),
  },
];

/**
 * The best kind of this host that policy allows, and why it was taken.
 * @throws CreameryError `isolation` when there is none.
 */
export async function autoMachine(
  minimum: IsolationMinimum,
  dependencies: MachineDependencies = {},
): Promise<{ machine: Machine; why: string }> {
  const launcher = dependencies.launcher ?? processLauncher();
  const reasons: string[] = [];
  for (const candidate of CANDIDATES) {
    const { kind, name } = candidate;
    if (!isolates(kind, minimum)) {
      reasons.push(`${name}: below isolation.minimum "${minimum}"`);
      continue;
    }
    try {
      const machine = await candidate.open(launcher, { ...dependencies, launcher });
      return {
        machine,
        why: [`${name} is the best that this host has`, ...reasons].join("; "),
      };
    } catch (thrown) {
      reasons.push(`${name}: ${reasonOf(thrown)}`);
    }
  }
  throw new CreameryError(
    "isolation",
    `no machine kind of this host is allowed: ${reasons.join("; ")}`,
    {
      nextStep: "see `creamery doctor`, or set isolation.minimum in creamery.toml",
    },
  );
}
