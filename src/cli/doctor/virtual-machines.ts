import { CreameryError } from "../../base/errors.ts";
import type { ImageManifest } from "../../image/manifest.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import type { Directories } from "../../launcher/directories.ts";
import { listSnapshots, snapshotsDirectory } from "../../launcher/qemu/snapshot-manifest.ts";
import { kvm } from "../../machine/open-machine.ts";
import type { Finding } from "./finding.ts";

const INSTALL = "apt-get install qemu-system-x86";

/** Whether this host has QEMU, whether KVM really boots a guest, and so which kind `auto` takes. */
export async function virtualMachineFindings(
  directories: Directories,
  image: ImageManifest | null,
  launcher: LauncherClient,
): Promise<Finding[]> {
  const qemu = await qemuFinding(directories, launcher);
  const { works, reason } =
    qemu.state === "ok"
      ? await kvm(launcher, image === null ? {} : { imageId: Promise.resolve(image.id) })
      : { works: false, reason: "not tried without QEMU" };
  return [
    qemu,
    { name: "KVM", state: "note", detail: reason },
    autoFinding(works, qemu.state === "ok"),
  ];
}

async function qemuFinding(directories: Directories, launcher: LauncherClient): Promise<Finding> {
  const name = "qemu";
  try {
    const { version } = await launcher.request({ kind: "probe-runtime", runtime: "qemu" });
    const made = (await listSnapshots(snapshotsDirectory(directories))).length;
    const snapshots =
      made === 0
        ? "no snapshot yet: the first test on it makes one, a minute or two"
        : `${made} ${made === 1 ? "snapshot" : "snapshots"} (\`creamery snapshot list\`)`;
    return { name, state: "ok", detail: `${version}; ${snapshots}` };
  } catch (thrown) {
    if (!(thrown instanceof CreameryError)) throw thrown;
    return {
      name,
      state: "note",
      detail: `${thrown.message}; gvisor and container do not need it`,
      nextStep: thrown.nextStep ?? INSTALL,
    };
  }
}

/** What `--machine auto` takes where policy allows everything, and what would be quicker. */
export function autoFinding(kvmWorks: boolean, hasQemu: boolean): Finding {
  const name = "auto";
  if (kvmWorks)
    return { name, state: "ok", detail: "takes qemu: KVM boots guests, near-native and isolated" };
  const quicker = hasQemu
    ? "on a host whose KVM boots guests it would take qemu, which is quicker"
    : "with QEMU, on a host whose KVM boots guests, it would take qemu, which is quicker";
  return { name, state: "note", detail: `takes gvisor where it works; ${quicker}` };
}
