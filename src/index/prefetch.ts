import { CreameryError } from "../base/errors.ts";
import { parseSdistFilename, parseWheelFilename } from "../python/distribution-filename.ts";
import { formatSpecifierSet, pickNewest, type SpecifierSet } from "../python/specifiers.ts";
import type { IndexService } from "./index-service.ts";
import type { IndexFile, ProjectPage } from "./page/project-page.ts";

/** A project of which files are to be here before anybody asks for them. */
export interface PrefetchWish {
  /** Normalised. */
  readonly project: string;
  readonly specifiers: SpecifierSet;
  /** Of these files alone, each of them; null for those of the newest release that fits. */
  readonly sha256s: readonly string[] | null;
}

export interface PrefetchOptions {
  readonly index: Pick<IndexService, "project" | "fetchFile" | "keptFile">;
  readonly wishes: readonly PrefetchWish[];
  /** No sdists. */
  readonly onlyWheels: boolean;
  /** Of each release that fits, not of the newest alone. */
  readonly allReleases: boolean;
  /** Of files that are not here yet, together. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly onProject?: (brought: BroughtProject) => void;
}

export interface BroughtProject {
  readonly project: string;
  /** Empty where files were named by hash. */
  readonly versions: readonly string[];
  /** All that are here now. */
  readonly files: number;
  readonly bytes: number;
  /** What had to be fetched for it. */
  readonly fetchedFiles: number;
  readonly fetchedBytes: number;
  /** Upstream could not be asked: the page is an older one. */
  readonly stale: boolean;
  /** What is not here, and why; empty when all is. */
  readonly faults: readonly string[];
}

const AT_ONCE = 4;

/**
 * Brings pages and files, so that they are served when upstream is away. What can't be had of one project keeps none of the
 * others from coming.
 * @throws CreameryError `disk-full`, the signal's reason.
 */
export async function prefetch(options: PrefetchOptions): Promise<readonly BroughtProject[]> {
  const room = { bytes: options.maxBytes };
  const brought: BroughtProject[] = [];
  for (const wish of options.wishes) {
    options.signal.throwIfAborted();
    const one = await bringProject(wish, room, options);
    brought.push(one);
    options.onProject?.(one);
  }
  return brought;
}

async function bringProject(
  wish: PrefetchWish,
  room: { bytes: number },
  options: PrefetchOptions,
): Promise<BroughtProject> {
  const { project } = wish;
  const nothing = {
    project,
    versions: [],
    files: 0,
    bytes: 0,
    fetchedFiles: 0,
    fetchedBytes: 0,
    stale: false,
  };
  let page: ProjectPage | null;
  try {
    page = await options.index.project(project, options.signal);
  } catch (thrown) {
    return { ...nothing, faults: [lineOf(thrown, options.signal)] };
  }
  if (page === null) return { ...nothing, faults: ["is on no index"] };
  const wanted = wantedFiles(page, wish, options);
  const faults = [...wanted.faults];
  const sums = { files: 0, bytes: 0, fetchedFiles: 0, fetchedBytes: 0 };
  const left = [...wanted.files];
  const bring = async (): Promise<void> => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      const fault = await bringFile(page, file, room, sums, options);
      if (fault !== null) faults.push(`${file.filename}: ${fault}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, bring));
  return { ...nothing, ...sums, versions: wanted.versions, stale: page.stale, faults };
}

async function bringFile(
  page: ProjectPage,
  file: IndexFile,
  room: { bytes: number },
  sums: { files: number; bytes: number; fetchedFiles: number; fetchedBytes: number },
  { index, maxBytes, signal }: PrefetchOptions,
): Promise<string | null> {
  const kept = file.sha256 === null ? null : await index.keptFile(file.sha256);
  if (kept !== null) {
    sums.files++;
    sums.bytes += kept.sizeBytes;
    return null;
  }
  const said = file.sizeBytes ?? 0;
  if (room.bytes <= 0 || said > room.bytes)
    return `is not fetched: it would be more than ${(maxBytes / 1024 ** 3).toFixed(1)} GiB together`;
  room.bytes -= said;
  try {
    const { sizeBytes } = await index.fetchFile(page, file, signal);
    room.bytes -= sizeBytes - said;
    sums.files++;
    sums.bytes += sizeBytes;
    sums.fetchedFiles++;
    sums.fetchedBytes += sizeBytes;
    return null;
  } catch (thrown) {
    room.bytes += said;
    return lineOf(thrown, signal);
  }
}

/** A full disk, and who has had enough, end all of it. */
function lineOf(thrown: unknown, signal: AbortSignal): string {
  signal.throwIfAborted();
  if (!(thrown instanceof CreameryError) || thrown.code === "disk-full") throw thrown;
  return thrown.line;
}

function wantedFiles(
  page: ProjectPage,
  { specifiers, sha256s }: PrefetchWish,
  { onlyWheels, allReleases }: Pick<PrefetchOptions, "onlyWheels" | "allReleases">,
): {
  readonly files: readonly IndexFile[];
  readonly versions: readonly string[];
  readonly faults: readonly string[];
} {
  const isMeant = ({ filename }: IndexFile): boolean => !onlyWheels || filename.endsWith(".whl");
  if (sha256s !== null) {
    const found = new Map(page.files.map((file) => [file.sha256, file]));
    const files = sha256s.flatMap((sha256) => found.get(sha256) ?? []);
    const faults = sha256s
      .filter((sha256) => !found.has(sha256))
      .map((sha256) => `no file with sha256 ${sha256} is on its page any more`);
    return { files: files.filter(isMeant), versions: [], faults };
  }
  const releases = Map.groupBy(
    page.files.flatMap((file) => {
      const { filename } = file;
      const parsed = parseWheelFilename(filename) ?? parseSdistFilename(filename, page.name);
      return parsed === null ? [] : [{ file, version: parsed.version }];
    }),
    ({ version }) => version,
  );
  const choices = [...releases].map(([version, rows]) => ({
    version,
    yanked: rows.every(({ file }) => file.yanked !== null),
    files: rows.map(({ file }) => file).filter(isMeant),
  }));
  const having = choices.filter(({ files }) => files.length > 0);
  const newest = pickNewest(having, specifiers);
  if (newest === null) {
    const which = specifiers.length === 0 ? "" : ` ${formatSpecifierSet(specifiers)}`;
    const what = onlyWheels ? "no wheel of a release" : "no release";
    return { files: [], versions: [], faults: [`has ${what}${which}`] };
  }
  const chosen = allReleases
    ? having.filter((choice) => pickNewest([choice], specifiers) !== null)
    : [newest];
  return {
    files: chosen.flatMap(({ files }) => files),
    versions: chosen.map(({ version }) => version),
    faults: [],
  };
}
