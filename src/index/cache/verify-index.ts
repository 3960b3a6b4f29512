import { createHash } from "node:crypto";
import { lstat, mkdir, readFile, rename, utimes } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";

import { sha256OfFile } from "../../base/hash-file.ts";
import { KeptPage, MAX_PAGE_BYTES } from "../page/kept-pages.ts";
import { isProvenance } from "../metadata/provenances.ts";
import { metadataOfWheelFile } from "../metadata/wheel-metadata.ts";
import {
  KEPT_AREAS,
  QUARANTINE,
  SHA256,
  takeInventory,
  type KeptArea,
  type KeptUnit,
} from "./inventory.ts";

export interface VerifyOptions {
  /** The index's own. */
  readonly directory: string;
  readonly signal: AbortSignal;
  /** Of bytes of files, now and then. */
  readonly onProgress?: (checkedBytes: number, ofBytes: number) => void;
}

export interface IndexFault {
  readonly area: KeptArea;
  readonly name: string;
  /** As a sentence goes on: `holds other content than its name says`. */
  readonly fault: string;
}

export interface VerifiedIndex {
  readonly checked: Readonly<Record<KeptArea, number>>;
  readonly checkedBytes: number;
  /** Each is in the quarantine by now. */
  readonly faults: readonly IndexFault[];
  /** Metadata whose wheel is not kept: there is nothing to hold it against. */
  readonly unchecked: number;
}

/**
 * Holds all that the mirror keeps against its hashes. What is wrong is moved into the quarantine, where nothing serves it: it is
 * fetched anew when somebody asks for it.
 * @throws CreameryError `unreadable-path`, the signal's reason.
 */
export async function verifyIndex(options: VerifyOptions): Promise<VerifiedIndex> {
  const { directory, signal, onProgress } = options;
  const inventory = await takeInventory(directory, signal);
  // Git holds its objects against their hashes itself, whenever it reads them.
  const units = inventory.units.filter(({ area }) => area !== "git");
  const checked = { files: 0, pages: 0, metadata: 0, provenance: 0, crates: 0, git: 0 };
  const faults: IndexFault[] = [];
  let checkedBytes = 0;
  let unchecked = 0;
  const ofBytes = units.reduce((sum, { bytes }) => sum + bytes, 0);
  // Files first: metadata is held against wheels that are right.
  for (const unit of units.toSorted((left, right) => rank(left) - rank(right))) {
    signal.throwIfAborted();
    const found = await faultOf(unit, directory, signal).catch((thrown: unknown) => {
      signal.throwIfAborted();
      if (isGone(thrown)) return null;
      return "can't be read";
    });
    if (found === UNCHECKED) unchecked++;
    else checked[unit.area]++;
    checkedBytes += unit.bytes;
    onProgress?.(checkedBytes, ofBytes);
    if (found === null || found === UNCHECKED) continue;
    await quarantine(unit, directory);
    faults.push({ area: unit.area, name: unit.name, fault: found });
  }
  return { checked, checkedBytes, faults, unchecked };
}

const UNCHECKED = Symbol("there is nothing to hold it against");

function rank({ area }: KeptUnit): number {
  return KEPT_AREAS.indexOf(area);
}

async function faultOf(
  unit: KeptUnit,
  directory: string,
  signal: AbortSignal,
): Promise<string | typeof UNCHECKED | null> {
  const [path = ""] = unit.paths;
  switch (unit.area) {
    case "files":
      return (await sha256OfFile(path, signal)) === unit.name
        ? null
        : "holds other content than its name says";
    case "pages":
      return await pageFault(unit);
    case "metadata":
      return await metadataFault(unit.name, path, directory);
    case "provenance":
      return isProvenance(await readFile(path)) ? null : "is no provenance";
    case "git":
      return UNCHECKED;
    case "crates":
      return isOfCrates(unit.name, await readFile(path, "utf8"))
        ? null
        : "is no part of an index of crates";
  }
}

async function pageFault({ paths }: KeptUnit): Promise<string | null> {
  const [facts = "", body] = paths;
  // One half alone is what an ended process left: nobody takes it for a page.
  if (body === undefined) return null;
  let said: string;
  try {
    said = KeptPage.parse(JSON.parse(await readFile(facts, "utf8"))).bodySha256;
  } catch (thrown) {
    if (isGone(thrown)) return null;
    return "is not said to be what it is";
  }
  const packed = await readFile(body);
  const content = await promisify(gunzip)(packed, { maxOutputLength: MAX_PAGE_BYTES }).catch(
    () => null,
  );
  if (content !== null && createHash("sha256").update(content).digest("hex") === said) return null;
  // A process that ended between the two writes leaves the newer body alone; it is asked for anew.
  const [factsAt, bodyAt] = await Promise.all([lstat(facts), lstat(body)]);
  return content !== null && bodyAt.mtimeMs > factsAt.mtimeMs
    ? null
    : "holds another page than it is said to";
}

async function metadataFault(
  key: string,
  path: string,
  directory: string,
): Promise<string | typeof UNCHECKED | null> {
  const files = join(directory, "files");
  const sha256 = SHA256.test(key)
    ? key
    : await readFile(join(files, "unhashed", key), "utf8").catch(() => "");
  if (!SHA256.test(sha256)) return UNCHECKED;
  const real = await metadataOfWheelFile(join(files, "sha256", sha256.slice(0, 2), sha256)).catch(
    () => undefined,
  );
  if (real === undefined) return UNCHECKED;
  const kept = await readFile(path);
  return real !== null && real.equals(kept) ? null : "is other metadata than its wheel holds";
}

/** A line that heads it, then a line for each version; the index's own configuration may be of many lines. */
function isOfCrates(name: string, text: string): boolean {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (name !== "config.json") return lines.every(isJson);
  return isJson(text) || (isJson(lines[0] ?? "") && isJson(lines.slice(1).join("\n")));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function quarantine({ area, paths }: KeptUnit, directory: string): Promise<void> {
  const into = join(directory, QUARANTINE);
  await mkdir(into, { recursive: true });
  const nowMs = Date.now();
  for (const path of paths)
    try {
      const aside = join(into, `${area}-${nowMs}-${basename(path)}`);
      await rename(path, aside);
      // From now on it is kept for those who want to look at it.
      await utimes(aside, nowMs / 1000, nowMs / 1000);
    } catch (thrown) {
      if (!isGone(thrown)) throw thrown;
    }
}

function isGone(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT";
}
