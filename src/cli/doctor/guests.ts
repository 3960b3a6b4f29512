import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

import { CreameryError, lineOfFault } from "../../base/errors.ts";
import { definitionHash } from "../../image/definition-hash.ts";
import { channelImage } from "../../image/channels.ts";
import { currentImage } from "../../image/image-store.ts";
import type { ImageManifest } from "../../image/manifest.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import type { GuestSpec } from "../../machine/machine.ts";
import { openMachine, type AvailableKind } from "../../machine/open-machine.ts";
import type { Finding } from "./finding.ts";

const MIB = 1024 * 1024;
const START_MS = 60_000;
const BUILD = "./creamery image build (about two minutes)";

/** The image that tests would use, or null, and what to say of it. */
export async function findImage(
  cacheDirectory: string,
): Promise<{ image: ImageManifest | null; finding: Finding }> {
  const architecture = process.arch === "x64" ? "x86_64" : "aarch64";
  const definition = resolve(import.meta.dirname, `../../../images/linux-${architecture}`);
  if (!existsSync(definition)) {
    return {
      image: null,
      finding: {
        name: "image",
        state: "lacks",
        detail: `there is no image definition for ${architecture}`,
      },
    };
  }
  const imagesDir = join(cacheDirectory, "images");
  let stable;
  try {
    stable = await channelImage(imagesDir, "stable");
  } catch (thrown) {
    if (!(thrown instanceof CreameryError)) throw thrown;
    const { input, message, nextStep = "./creamery image promote ID" } = thrown;
    const detail = `channel stable: ${input}: ${message}`;
    return { image: null, finding: { name: "image", state: "lacks", detail, nextStep } };
  }
  if (stable !== null)
    return {
      image: stable,
      finding: imageFinding(stable, `${stable.id}, which channel stable points to`),
    };
  const image = await currentImage(imagesDir, await definitionHash(definition));
  return image === null
    ? { image, finding: { name: "image", state: "note", detail: "not built yet", nextStep: BUILD } }
    : { image, finding: imageFinding(image, image.id) };
}

/** An image that was made without some of its interpreters is of use: what is missing is a note. */
export function imageFinding(image: Pick<ImageManifest, "missing">, detail: string): Finding {
  const [first] = image.missing;
  if (first === undefined) return { name: "image", state: "ok", detail };
  const without = image.missing.map(({ name, reason }) => `${name} (${reason})`);
  return {
    name: "image",
    state: "note",
    detail: `${detail}, without ${without.join(", ")}`,
    nextStep: first.nextStep,
  };
}

type OciKind = Exclude<AvailableKind, "qemu">;

/** What each machine kind is missed for when it does not work. */
const KINDS: Record<OciKind, { readonly state: Finding["state"]; readonly nextStep: string }> = {
  gvisor: {
    state: "lacks",
    nextStep: "remove <cache>/tools/ready-1 and run ./creamery again, which brings runsc anew",
  },
  container: {
    state: "note",
    nextStep: "apt-get install runc; without it failures on gvisor are not confirmed elsewhere",
  },
};

/** Whether a runtime really starts a guest whose agent answers; without an image, whether it says its version. */
export async function machineFinding(
  kind: OciKind,
  image: ImageManifest | null,
  launcher: LauncherClient,
  signal: AbortSignal,
): Promise<Finding> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(START_MS)]);
  try {
    const { version } = await launcher.request(
      { kind: "probe-runtime", runtime: kind },
      { signal: deadline },
    );
    if (image === null) {
      return { name: kind, state: "ok", detail: `${version}; no guest tried, there is no image` };
    }
    await using machine = await openMachine(kind, { launcher });
    const spec: GuestSpec = {
      imageId: image.id,
      memoryBytes: 256 * MIB,
      diskBytes: 64 * MIB,
      cpuSeconds: 60,
      pids: 64,
    };
    await using guest = await machine.start(spec, deadline);
    return {
      name: kind,
      state: "ok",
      detail: `${version}; a guest answers after ${Math.round(guest.startMs)} ms`,
    };
  } catch (thrown) {
    signal.throwIfAborted();
    const detail = lineOfFault(thrown);
    return { name: kind, detail, ...KINDS[kind] };
  }
}
