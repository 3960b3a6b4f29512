import { CreameryError } from "../base/errors.ts";
import { within } from "../base/within.ts";
import type { AttemptRecord } from "./record/attempt-record.ts";
import {
  cratePrefix,
  isCrateName,
  parseCrateLines,
  type CrateListing,
  type CrateMirror,
  type CrateVersion,
} from "./crates/crates.ts";
import type { FileReader, StoredFile, WantedFile } from "./files/file-store.ts";
import type { Mirror } from "./mirror.ts";
import { RecordedPages } from "./record/recorded-pages.ts";
import type { PageOptions } from "./page/page-store.ts";
import type { IndexFile, ProjectPage } from "./page/project-page.ts";

/** What an endpoint serves: all that the upstreams have, or exactly what an earlier attempt got. */
export interface Catalogue {
  readonly replayed: boolean;
  readonly addresses: readonly string[];
  page(name: string, signal: AbortSignal, options?: PageOptions): Promise<ProjectPage | null>;
  metadata(page: ProjectPage, file: IndexFile, signal: AbortSignal): Promise<Buffer | null>;
  /** PEP 740; null where there is none. */
  provenance(page: ProjectPage, file: IndexFile, signal: AbortSignal): Promise<Buffer | null>;
  kept(file: Pick<WantedFile, "key" | "sha256">): Promise<StoredFile | null>;
  follow(page: ProjectPage, file: IndexFile): Promise<FileReader>;
  confirmMetadata(page: ProjectPage, file: IndexFile, stored: StoredFile): Promise<void>;
  /** @param prefix where the client expects it; null not to check. */
  crateVersions(
    name: string,
    prefix: string | null,
    signal: AbortSignal,
  ): Promise<CrateListing | null>;
  keptCrate(version: CrateVersion): Promise<StoredFile | null>;
  followCrate(version: CrateVersion): Promise<FileReader>;
}

export function upstreamCatalogue(mirror: Mirror, crates: CrateMirror | null): Catalogue {
  return {
    replayed: false,
    addresses: mirror.addresses,
    page: (name, signal, options) => mirror.page(name, signal, options),
    metadata: (page, file, signal) => mirror.metadata.get(page, file, signal),
    provenance: (page, file, signal) => mirror.provenance(page, file, signal),
    kept: (file) => mirror.files.kept(file),
    follow: async (page, file) => mirror.follow(page, file),
    confirmMetadata: (page, file, stored) => mirror.metadata.confirm(page, file, stored),
    crateVersions: async (name, prefix, signal) => {
      if (
        crates === null ||
        !isCrateName(name) ||
        // The protocol knows one place, in lower case, whatever the crate's own is.
        (prefix !== null && (prefix !== cratePrefix(name) || name !== name.toLowerCase()))
      )
        return null;
      return within(crates.versions(name), { signal });
    },
    keptCrate: ({ sha256 }) => mirror.files.kept({ key: sha256, sha256 }),
    followCrate: async (version) => {
      if (crates === null) throw new CreameryError("internal", "no crates index");
      return crates.files.follow(await crates.wanted(version), crates.client);
    },
  };
}

/** Serves the recorded files and nothing else, from what is kept: no upstream is asked. */
export function replayCatalogue(record: AttemptRecord, mirror: Mirror): Catalogue {
  const pages = new RecordedPages(record, mirror.metadata);
  const gone = (input: string): CreameryError =>
    new CreameryError("upstream", "is kept no more, and a replay asks no upstream", {
      input,
      nextStep: "run the attempt anew with `./creamery test`",
    });
  const notThen = (input: string): CreameryError =>
    new CreameryError("upstream", "was not fetched then, and a replay has nothing else", { input });
  return {
    replayed: true,
    addresses: record.upstreams,
    page: (name) => pages.page(name),
    // The pages of a replay name none.
    provenance: async () => null,
    metadata: async (page, file) => {
      const kept = await mirror.metadata.kept(page, file);
      if (kept === null && (await mirror.files.kept(file)) === null) throw gone(file.filename);
      return kept;
    },
    kept: (file) => mirror.files.kept(file),
    follow: async (_page, file) => {
      throw pages.wasFetched(file) ? gone(file.filename) : notThen(file.filename);
    },
    confirmMetadata: async () => undefined,
    crateVersions: async (name) => recordedVersions(record, name),
    keptCrate: async ({ name, version, sha256 }) => {
      const fetched = record.crates.some(
        (crate) => crate.name === name && crate.version === version && crate.sha256 === sha256,
      );
      if (!fetched) throw notThen(`${name} ${version}`);
      return mirror.files.kept({ key: sha256, sha256 });
    },
    followCrate: async (version) => {
      throw gone(`${version.name} ${version.version}`);
    },
  };
}

/** What was looked up; of an older record, which did not say, what was fetched. */
function recordedVersions(
  { crateIndex, crates }: AttemptRecord,
  name: string,
): CrateListing | null {
  const same = (crate: { readonly name: string }) =>
    crate.name.toLowerCase() === name.toLowerCase();
  const found = crateIndex.find(same);
  if (found !== undefined)
    return { versions: parseCrateLines(found.lines.join("\n"), name), stale: false };
  const fetched = crates.filter(same);
  return fetched.length === 0 ? null : { versions: fetched, stale: false };
}
