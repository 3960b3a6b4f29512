import { createHash } from "node:crypto";

import { z } from "zod";

import type { IndexFile, ProjectPage } from "../../index/page/project-page.ts";
import { parseSdistFilename, parseWheelFilename } from "../../python/distribution-filename.ts";

/**
 * What is known of one project's page, small enough for 45,000 of them: twelve characters for each file, eight of its
 * name's digest and four of its content's, after one that says whether the release is yanked.
 */

/** `.` never yanked, `y` yanked, `u` yanked once and no more. */
const YANK = /^[.yu]/u;
const Packed = z.string().regex(/^[.yu](?:[A-Za-z0-9_-]{12})*$/u);

export const PageFacts = z.strictObject({
  v: z.literal(1),
  etag: z.string().nullable(),
  modified: z.string().nullable(),
  /** Of the page that was seen last, a part of its sha256. */
  digest: z.string().nullable(),
  /** The newest that any page had. */
  serial: z.number().int().nullable(),
  project: z.enum(["here", "absent", "removed"]),
  /** `c`: quarantined once and no more. */
  quarantine: z.enum([".", "q", "c"]),
  /** By version, normalised. */
  releases: z.record(z.string(), Packed),
  /** Those that were removed: a stale page may show them again. */
  gone: z.record(z.string(), Packed),
  /** Changes back to what was before, and since when (ms) they are seen; they may be a stale page's. */
  pending: z.record(z.string(), z.number()),
  /** Since when pages are older (by serial) than one that was seen. */
  behindSince: z.number().nullable(),
});
export type PageFacts = z.infer<typeof PageFacts>;

/** What nothing is known of. */
export const NO_FACTS: PageFacts = {
  v: 1,
  etag: null,
  modified: null,
  digest: null,
  serial: null,
  project: "absent",
  quarantine: ".",
  releases: {},
  gone: {},
  pending: {},
  behindSince: null,
};

export interface ShownRelease {
  readonly files: readonly IndexFile[];
  /** The reason, empty when none was given; null when a file of it is not yanked. */
  readonly yanked: string | null;
  /** When its first file came; null where the page does not say. */
  readonly uploadedAt: string | null;
}

/** A page's releases by normalised version; files that are neither sdist nor wheel are no release's. */
export function releasesOf(page: ProjectPage): ReadonlyMap<string, ShownRelease> {
  const byVersion = new Map<string, IndexFile[]>();
  for (const file of page.files) {
    const parsed =
      parseWheelFilename(file.filename) ?? parseSdistFilename(file.filename, page.name);
    if (parsed === null || parsed.project !== page.name) continue;
    const files = byVersion.get(parsed.version);
    if (files === undefined) byVersion.set(parsed.version, [file]);
    else files.push(file);
  }
  const releases = new Map<string, ShownRelease>();
  for (const [version, files] of byVersion)
    releases.set(version, {
      files,
      yanked: files.every(({ yanked }) => yanked !== null)
        ? (files.find(({ yanked }) => yanked !== "")?.yanked ?? "")
        : null,
      uploadedAt: firstUpload(files),
    });
  return releases;
}

/** When the first of them came, as upstream says it; null where it says nothing that is a time. */
export function firstUpload(files: readonly IndexFile[]): string | null {
  const times = files.flatMap(({ uploadTime }) =>
    uploadTime !== null && uploadTime.length <= 64 && !Number.isNaN(Date.parse(uploadTime))
      ? [uploadTime]
      : [],
  );
  return times.toSorted((left, right) => Date.parse(left) - Date.parse(right))[0] ?? null;
}

const CODE_CHARS = 12;
const NAME_CHARS = 8;
const NO_HASH = "----";

function codeOf(file: IndexFile): string {
  const name = createHash("sha256").update(file.filename).digest("base64url").slice(0, NAME_CHARS);
  const content =
    file.sha256 === null
      ? NO_HASH
      : Buffer.from(file.sha256.slice(0, 6), "hex").toString("base64url");
  return name + content;
}

export function packRelease(yank: "." | "y" | "u", files: readonly IndexFile[]): string {
  return yank + [...new Set(files.map(codeOf))].join("");
}

export function yankOf(packed: string): string {
  return YANK.exec(packed)?.[0] ?? ".";
}

export function withYank(packed: string, yank: "." | "y" | "u"): string {
  return yank + packed.slice(1);
}

function codesOf(packed: string): Set<string> {
  const codes = new Set<string>();
  for (let at = 1; at < packed.length; at += CODE_CHARS)
    codes.add(packed.slice(at, at + CODE_CHARS));
  return codes;
}

/**
 * Files that a release was never seen with. The same name with other content is another file; where an index says a hash
 * at one time and none at another, the name alone counts.
 */
export function unseenFiles(packed: string, files: readonly IndexFile[]): readonly IndexFile[] {
  const codes = codesOf(packed);
  const names = new Map<string, boolean>();
  for (const code of codes) {
    const name = code.slice(0, NAME_CHARS);
    names.set(name, (names.get(name) ?? false) || code.endsWith(NO_HASH));
  }
  return files.filter((file) => {
    const code = codeOf(file);
    if (codes.has(code)) return false;
    const hashless = names.get(code.slice(0, NAME_CHARS));
    return hashless === undefined || !(hashless || code.endsWith(NO_HASH));
  });
}

/** With files added; what was seen once stays known, so that a stale page that shows it again says nothing new. */
export function packMore(packed: string, files: readonly IndexFile[]): string {
  const known = codesOf(packed);
  return packed + [...new Set(files.map(codeOf))].filter((code) => !known.has(code)).join("");
}
