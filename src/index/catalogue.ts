import { createHash } from "node:crypto";

import { CreameryError } from "../base/errors.ts";
import { within } from "../base/within.ts";
import type { AttemptRecord, RecordedFile } from "./attempt-record.ts";
import {
  cratePrefix,
  isCrateName,
  parseCrateLines,
  type CrateListing,
  type CrateMirror,
  type CrateVersion,
} from "./crates.ts";
import type { FileReader, StoredFile, WantedFile } from "./file-store.ts";
import type { Mirror } from "./mirror.ts";
import type { PageOptions } from "./page-store.ts";
import type { IndexFile, ProjectPage } from "./project-page.ts";
import { metadataOfWheelFile } from "./wheel-metadata.ts";

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
    metadata: (page, file, signal) => mirror.metadata(page, file, signal),
    provenance: (page, file, signal) => mirror.provenance(page, file, signal),
    kept: (file) => mirror.files.kept(file),
    follow: async (page, file) => mirror.follow(page, file),
    confirmMetadata: (page, file, stored) => mirror.confirmMetadata(page, file, stored),
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
  const pages = new Map<string, ProjectPage>();
  for (const [name, files] of Map.groupBy(record.files, ({ project }) => project))
    pages.set(name, recordedPage(name, files));
  // A page of which nothing was fetched: a resolver may have looked at it, and finds nothing on it that it could take.
  for (const { project, upstream } of record.pages)
    if (!pages.has(project)) pages.set(project, recordedPage(project, [], upstream));
  const gone = (input: string): CreameryError =>
    new CreameryError("upstream", "is kept no more, and a replay asks no upstream", {
      input,
      nextStep: "run the attempt anew with `./creamery test`",
    });
  return {
    replayed: true,
    addresses: record.upstreams,
    page: async (name) => pages.get(name) ?? null,
    // The pages of a replay name none.
    provenance: async () => null,
    metadata: async (_page, file) => {
      const stored = await mirror.files.kept(file);
      if (stored === null) throw gone(file.filename);
      return metadataOfWheelFile(stored.path);
    },
    kept: (file) => mirror.files.kept(file),
    follow: async (_page, file) => {
      throw gone(file.filename);
    },
    confirmMetadata: async () => undefined,
    crateVersions: async (name) => recordedVersions(record, name),
    keptCrate: async ({ name, version, sha256 }) => {
      const fetched = record.crates.some(
        (crate) => crate.name === name && crate.version === version && crate.sha256 === sha256,
      );
      if (!fetched)
        throw new CreameryError("upstream", "was not fetched then, and a replay has nothing else", {
          input: `${name} ${version}`,
        });
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

function recordedPage(
  name: string,
  files: readonly RecordedFile[],
  upstream = files[0]?.upstream ?? "",
): ProjectPage {
  return {
    name,
    versions: [],
    status: "active",
    lastSerial: null,
    upstream,
    stale: false,
    contentSha256: createHash("sha256").update(JSON.stringify(files)).digest("hex"),
    raw: { meta: { "api-version": "1.0" }, name },
    files: files.map((file) => ({
      filename: file.filename,
      url: file.url,
      sha256: file.sha256,
      sizeBytes: file.sizeBytes,
      requiresPython: file.requiresPython,
      yanked: null,
      uploadTime: file.uploadTime,
      upstreamMetadata: null,
      key: file.sha256,
      raw: {
        filename: file.filename,
        hashes: { sha256: file.sha256 },
        size: file.sizeBytes,
        ...(file.requiresPython === null ? {} : { "requires-python": file.requiresPython }),
        ...(file.uploadTime === null ? {} : { "upload-time": file.uploadTime }),
      },
    })),
  };
}
