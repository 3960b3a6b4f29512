import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import {
  asConfigured,
  cargoStamp,
  readCargoConfiguration,
} from "../../index/upstream/cargo-configuration.ts";
import { hostCratesIndex } from "../../index/upstream/upstreams.ts";
import type { GuestSpec } from "../../machine/machine.ts";
import { askImagesCargo, type AskedMachine } from "../../worker/ask-cargo.ts";

export interface CratesQuestion {
  /** The farm's own, where answers are kept. */
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** Where the image's own cargo is asked, if the host has none that says which index it uses. */
  readonly asked: () => Promise<{ readonly machine: AskedMachine; readonly spec: GuestSpec }>;
}

/**
 * The index of crates as the host's cargo says it, else the image's with the configuration of the person who asked: once for
 * each image and configuration. Null when neither names one.
 * @throws CreameryError `configuration-file`, and what starting a guest throws.
 */
export async function findCratesIndex(question: CratesQuestion): Promise<string | null> {
  const { directory, env, signal, asked } = question;
  const host = await hostCratesIndex(env, { cacheDir: directory, signal });
  if (host !== null) return host;
  const configuration = await readCargoConfiguration(env);
  const { machine, spec } = await asked();
  const known = await readKept(directory, spec.imageId, configuration);
  const found = known ?? (await askImagesCargo(machine, spec, configuration, signal)) ?? "";
  if (known === null) {
    const lines = [spec.imageId, cargoStamp(configuration), found, ""];
    await writeFile(keptIn(directory), lines.join("\n")).catch(() => undefined);
  }
  return found === "" ? null : asConfigured(found, configuration);
}

/** As far as it is known without starting a guest. */
export async function knownCratesIndex(
  { directory, env, signal }: Omit<CratesQuestion, "asked">,
  imageId: string | null,
): Promise<string | null> {
  const host = await hostCratesIndex(env, { cacheDir: directory, signal });
  if (host !== null || imageId === null) return host;
  const configuration = await readCargoConfiguration(env);
  const found = await readKept(directory, imageId, configuration);
  return found === null || found === "" ? null : asConfigured(found, configuration);
}

/** Three lines: the image, the configuration's stamp, and what was named, empty where nothing was. */
function keptIn(directory: string): string {
  return join(directory, "crates-index-of-image");
}

async function readKept(
  directory: string,
  imageId: string,
  configuration: string | null,
): Promise<string | null> {
  const text = await readFile(keptIn(directory), "utf8").catch(() => "");
  const [image, stamp, url] = text.split("\n");
  return image === imageId && stamp === cargoStamp(configuration) && url !== undefined ? url : null;
}
