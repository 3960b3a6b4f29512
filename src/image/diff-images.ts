import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import type { Builder } from "../model/source.ts";
import { imageConfigurations } from "./image-configurations.ts";
import type { ImageManifest } from "./manifest.ts";
import { isByteCode, pathOf } from "./tree-hash.ts";

/** What one image has in another version than the other, or alone: null where it has none. */
export interface Change {
  readonly name: string;
  readonly from: string | null;
  readonly to: string | null;
}

/** Of an interpreter its full version; and what else of it is another. */
export interface InterpreterChange extends Change {
  /** Who built it; null where there is none. */
  readonly builder: { readonly from: Builder | null; readonly to: Builder | null };
  /** Modules of the standard library that it has no longer, and that it has now. */
  readonly lost: readonly string[];
  readonly gained: readonly string[];
  /** Why the image that lacks it was made without it; null where it has it, or was to be without. */
  readonly missing: string | null;
}

/** Each list begins with what is most likely to break somebody. */
export interface ImageDifference {
  readonly from: string;
  readonly to: string;
  readonly interpreters: readonly InterpreterChange[];
  readonly tools: readonly Change[];
  readonly kernel: Change | null;
  readonly packages: readonly Change[];
  readonly files: {
    readonly removed: readonly string[];
    readonly changed: readonly string[];
    readonly added: readonly string[];
  };
}

/** Compares what two images say of themselves, and every path of their trees. */
export async function diffImages(
  imagesDir: string,
  from: ImageManifest,
  to: ImageManifest,
): Promise<ImageDifference> {
  const [before, after] = await Promise.all([
    readTree(join(imagesDir, from.id, "tree.jsonl")),
    readTree(join(imagesDir, to.id, "tree.jsonl")),
  ]);
  return diffOf(from, to, before, after);
}

/** @param before, @param after a line for each path, as in `tree.jsonl`. */
export function diffOf(
  from: ImageManifest,
  to: ImageManifest,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): ImageDifference {
  const kernel = changesOf(
    [["kernel", from.kernel?.release ?? ""]],
    [["kernel", to.kernel?.release ?? ""]],
  );
  const ordered = (paths: readonly string[]): readonly string[] => byRank(paths, fileRank);
  return {
    from: from.id,
    to: to.id,
    interpreters: bySeverity(interpreterChanges(from, to)),
    tools: bySeverity(changesOf(toolsOf(from), toolsOf(to))),
    kernel: kernel[0] ?? null,
    packages: bySeverity(
      byRank(changesOf(packagesOf(from), packagesOf(to)), ({ name }) => packageRank(name)),
    ),
    files: {
      removed: ordered([...before.keys()].filter((path) => !after.has(path))),
      changed: ordered(
        [...before]
          .filter(([path, line]) => (after.get(path) ?? line) !== line)
          .map(([path]) => path),
      ),
      added: ordered([...after.keys()].filter((path) => !before.has(path))),
    },
  };
}

type Named = readonly (readonly [name: string, version: string])[];

/** Two builds of one version are two interpreters. */
function interpreterChanges(from: ImageManifest, to: ImageManifest): readonly InterpreterChange[] {
  return imageConfigurations({
    interpreters: [...from.interpreters, ...to.interpreters],
    missing: [],
  }).flatMap((name) => {
    const before = from.interpreters.find((one) => one.name === name) ?? null;
    const after = to.interpreters.find((one) => one.name === name) ?? null;
    // What an older image lacked is not known.
    const [had = null, has = null] = [before?.lacks, after?.lacks];
    const change: InterpreterChange = {
      name,
      from: before?.fullVersion ?? null,
      to: after?.fullVersion ?? null,
      builder: { from: before?.builder ?? null, to: after?.builder ?? null },
      lost: had === null ? [] : (has ?? []).filter((gap) => !had.includes(gap)),
      gained: has === null ? [] : (had ?? []).filter((gap) => !has.includes(gap)),
      missing: to.missing.find((one) => one.name === name)?.reason ?? null,
    };
    const same =
      change.from === change.to &&
      change.builder.from === change.builder.to &&
      change.lost.length + change.gained.length === 0;
    return same ? [] : [change];
  });
}

const toolsOf = ({ tools }: ImageManifest): Named =>
  tools.map(({ name, version }) => [name, version]);
/** Of one package several versions can be there: what can't be installed is unpacked beside it. */
function packagesOf({ packages }: ImageManifest): Named {
  const versions = Map.groupBy(packages, ({ name, architecture }) =>
    architecture === "all" || architecture === "amd64" ? name : `${name}:${architecture}`,
  );
  return [...versions].map(([name, all]) => [
    name,
    all
      .map(({ version }) => version)
      .toSorted()
      .join(", "),
  ]);
}

function changesOf(from: Named, to: Named): readonly Change[] {
  const before = new Map(from);
  const after = new Map(to);
  return [...new Set([...before.keys(), ...after.keys()])]
    .toSorted()
    .map((name) => ({ name, from: before.get(name) ?? null, to: after.get(name) ?? null }))
    .filter((change) => change.from !== change.to);
}

/** What is gone first, then what is another version, then what is new; each in its order. */
function bySeverity<One extends Change>(changes: readonly One[]): readonly One[] {
  return byRank(changes, ({ from, to }) => (to === null ? 0 : from === null ? 2 : 1));
}

function byRank<Item>(items: readonly Item[], rank: (item: Item) => number): readonly Item[] {
  // Sorting is stable: what ranks alike stays as it was.
  return items.toSorted((left, right) => rank(left) - rank(right));
}

const PACKAGE_RANKS: readonly RegExp[] = [
  /^(?:libc6|libstdc\+\+6|libgcc|libssl|openssl|libsqlite3|libffi)/u,
  /^(?:lib)?(?:python|pypy)/u,
  /^(?:gcc|g\+\+|cpp|gfortran|rustc|cargo|cmake|ninja|make|binutils|libc6-dev|linux-libc-dev)/u,
  /-dev$/u,
  /^lib/u,
];
const FILE_RANKS: readonly RegExp[] = [
  /^(?:usr\/)?(?:local\/)?s?bin\//u,
  /\.so(?:\.[\d.]+)?$/u,
  /^usr\/(?:local\/)?include\//u,
  /^usr\/lib\/(?:python|pypy)/u,
  /^(?:usr\/lib|opt|etc)\//u,
];

const packageRank = (name: string): number => rankOf(name, PACKAGE_RANKS);
const fileRank = (path: string): number => rankOf(path, FILE_RANKS);

function rankOf(text: string, ranks: readonly RegExp[]): number {
  const found = ranks.findIndex((pattern) => pattern.test(text));
  return found < 0 ? ranks.length : found;
}

async function readTree(path: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const lines = createInterface({
    input: createReadStream(path),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  for await (const line of lines) {
    const at = pathOf(line);
    if (!isByteCode(at)) found.set(at, line);
  }
  return found;
}
