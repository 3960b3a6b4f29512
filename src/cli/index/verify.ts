import { join } from "node:path";

import { z } from "zod";

import { printableLine } from "../../base/bounded-text.ts";
import { QUARANTINE } from "../../index/cache/inventory.ts";
import { verifyIndex, type VerifiedIndex } from "../../index/cache/verify-index.ts";
import { directoriesFrom } from "../../launcher/directories.ts";
import { sizeText } from "../size-text.ts";

const Options = z.object({ json: z.boolean().default(false) });
const EVERY_MS = 500;

/**
 * `creamery index verify`.
 * @returns the exit code: 1 where something was wrong.
 * @throws CreameryError `unreadable-path`, `interrupted`.
 */
export async function verifyKeptIndex(given: unknown, signal: AbortSignal): Promise<number> {
  const { json } = Options.parse(given ?? {});
  const directory = join(directoriesFrom(process.env).cache, "index");
  const row = process.stderr.isTTY && !json ? progressRow() : null;
  let state: VerifiedIndex;
  try {
    state = await verifyIndex({
      directory,
      signal,
      onProgress: (bytes, of) => row?.show(`verified ${sizeText(bytes)} of ${sizeText(of)}`),
    });
  } finally {
    row?.end();
  }
  const told = { schema: 1, directory, ...state };
  process.stdout.write(`${json ? JSON.stringify(told) : verifiedText(directory, state)}\n`);
  return state.faults.length === 0 ? 0 : 1;
}

/** One row of a terminal that is written over. */
function progressRow(): { show(text: string): void; end(): void } {
  let shownMs = 0;
  return {
    show: (text) => {
      const now = performance.now();
      if (now - shownMs < EVERY_MS) return;
      shownMs = now;
      process.stderr.write(`\r\u001B[K${text}`);
    },
    end: () => void process.stderr.write("\r\u001B[K"),
  };
}

export function verifiedText(directory: string, state: VerifiedIndex): string {
  const { checked, checkedBytes, faults, unchecked } = state;
  const counts = Object.entries(checked)
    .filter(([area]) => area !== "git")
    .map(([area, count]) => `${count} ${area}`);
  return [
    ...faults.map(({ area, name, fault }) => printableLine(`${area} ${name}: ${fault}`)),
    `${directory}: ${faults.length === 0 ? "sound" : `${faults.length} not sound`}; ${sizeText(checkedBytes)}: ${counts.join(", ")}`,
    ...(unchecked === 0
      ? []
      : [`${unchecked} metadata can't be checked: their wheels are not kept here`]),
    ...(faults.length === 0
      ? []
      : [
          `what is not sound lies in ${join(directory, QUARANTINE)} now, and is fetched anew when somebody asks for it; if there is more another day, check this host's disk and memory`,
        ]),
  ].join("\n");
}
