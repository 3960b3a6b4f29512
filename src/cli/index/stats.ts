import { join } from "node:path";

import { z } from "zod";

import { inventoryBytes, PINNED_AREAS } from "../../index/cache/collect-index.ts";
import { takeInventory, type Inventory, type KeptArea } from "../../index/cache/inventory.ts";
import { launcher } from "../../launcher/client.ts";
import { directoriesFrom } from "../../launcher/directories.ts";
import { indexBounds } from "../../model/config/index-table.ts";
import { askerCwd } from "../farm/asker-cwd.ts";
import { readConfig } from "../farm/read-config.ts";
import { sizeText } from "../size-text.ts";
import { agoText, renderTable } from "../table.ts";
import { ownPins } from "./farm-pins.ts";

const Options = z.object({ config: z.string().optional(), json: z.boolean().default(false) });

/** `creamery index stats`. @throws CreameryError `store`, `bucket`, `configuration-file`, `unreadable-path`. */
export async function indexStats(given: unknown, signal: AbortSignal): Promise<number> {
  const { config: file, json } = Options.parse(given ?? {});
  const directories = directoriesFrom(process.env);
  const { config } = await readConfig(file, askerCwd(), launcher());
  const directory = join(directories.cache, "index");
  const inventory = await takeInventory(directory, signal);
  const nowMs = Date.now();
  const pinned = await ownPins(config, directories)(nowMs, signal);
  const { maxBytes } = indexBounds(config);
  const state = statsOf(inventory, pinned.names, maxBytes);
  const told = { schema: 1, directory, ...state, pinnedAttempts: pinned.attempts };
  process.stdout.write(json ? `${JSON.stringify(told)}\n` : statsText(directory, state, nowMs));
  return 0;
}

interface Kept {
  readonly count: number;
  readonly bytes: number;
  /** ISO 8601; null where nothing is kept. */
  readonly oldestUse: string | null;
}

export interface IndexStats {
  readonly areas: Readonly<Record<KeptArea, Kept>>;
  /** Of files and repositories that attempts name which are kept whole. */
  readonly pinned: { readonly count: number; readonly bytes: number };
  readonly partialBytes: number;
  readonly quarantined: { readonly count: number; readonly bytes: number };
  /** What lies there and is not the mirror's to collect. */
  readonly others: Readonly<Record<string, { readonly files: number; readonly bytes: number }>>;
  readonly bytes: number;
  readonly maxBytes: number;
}

export function statsOf(
  inventory: Inventory,
  pinned: ReadonlySet<string>,
  maxBytes: number,
): IndexStats {
  const { units, leftovers, partialBytes, others } = inventory;
  const of = (area: KeptArea): Kept => {
    const own = units.filter((unit) => unit.area === area);
    const oldestMs = own.reduce(
      (oldest, { usedMs }) => Math.min(oldest, usedMs),
      Number.POSITIVE_INFINITY,
    );
    return {
      ...counted(own),
      oldestUse: own.length === 0 ? null : new Date(oldestMs).toISOString(),
    };
  };
  return {
    areas: {
      files: of("files"),
      pages: of("pages"),
      metadata: of("metadata"),
      provenance: of("provenance"),
      crates: of("crates"),
      git: of("git"),
    },
    pinned: counted(units.filter(({ area, name }) => PINNED_AREAS.has(area) && pinned.has(name))),
    partialBytes,
    quarantined: counted(leftovers.filter(({ kind }) => kind === "quarantined")),
    others: Object.fromEntries(others),
    bytes: inventoryBytes(inventory),
    maxBytes,
  };
}

function counted(rows: readonly { readonly bytes: number }[]): { count: number; bytes: number } {
  return { count: rows.length, bytes: rows.reduce((sum, { bytes }) => sum + bytes, 0) };
}

export function statsText(directory: string, state: IndexStats, nowMs: number): string {
  const { areas, pinned, partialBytes, quarantined, others, bytes, maxBytes } = state;
  const rows = Object.entries(areas).map(([area, { count, bytes: size, oldestUse }]) => [
    area,
    String(count),
    sizeText(size),
    oldestUse === null ? "-" : agoText(oldestUse, nowMs),
  ]);
  const more = Object.entries(others)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, { files, bytes: size }]) => [name, String(files), sizeText(size), "-"]);
  const room = maxBytes - bytes;
  return [
    `${directory}\n`,
    renderTable(["WHAT", "COUNT", "SIZE", "OLDEST USE"], [...rows, ...more]),
    `${sizeText(bytes)} of ${sizeText(maxBytes)} (index.max_gib): ${room >= 0 ? `room for ${sizeText(room)}` : `${sizeText(-room)} too much; see ./creamery index gc`}\n`,
    `pinned by attempts that are kept: ${pinned.count} of ${sizeText(pinned.bytes)}\n`,
    ...(partialBytes === 0 ? [] : [`on its way: ${sizeText(partialBytes)}\n`]),
    ...(quarantined.count === 0
      ? []
      : [`in quarantine: ${quarantined.count} of ${sizeText(quarantined.bytes)}, for 30 days\n`]),
  ].join("");
}
