import { z } from "zod";

/** What happened upstream, as the rest of the farm hears of it. Names and versions are normalised (PEP 503, PEP 440). */

const project = z.string().max(214);
const version = z.string().max(300);
/** When the first of its files came, RFC 3339 in UTC; null where upstream does not say. */
const uploadedAt = z.string().max(64).nullable();
const files = z.array(z.string().max(256)).max(2000);

export const WatchEvent = z.discriminatedUnion("kind", [
  /** A release that was not there before, or is there again after it or its project was removed. */
  z.strictObject({
    kind: z.literal("released"),
    project,
    version,
    uploadedAt,
    /** Names of the files that it had when it was seen; left out where the source of events does not tell them. */
    files: files.optional(),
  }),
  /** Files of a release that was reported before: new ones, or one that was replaced by another of its name. */
  z.strictObject({ kind: z.literal("files-added"), project, version, uploadedAt, files }),
  /** All files of the release are yanked (PEP 592). */
  z.strictObject({
    kind: z.literal("yanked"),
    project,
    version,
    /** Null where none was given or the source of events does not tell it. */
    reason: z.string().max(500).nullable(),
  }),
  z.strictObject({ kind: z.literal("unyanked"), project, version }),
  z.strictObject({ kind: z.literal("release-removed"), project, version }),
  /** The project and all its releases; it lives again with the next `released`. */
  z.strictObject({ kind: z.literal("project-removed"), project }),
  /** PEP 792: nothing of it may be installed until it is lifted. */
  z.strictObject({ kind: z.literal("quarantined"), project }),
  z.strictObject({ kind: z.literal("unquarantined"), project }),
  z.strictObject({
    kind: z.literal("pushed"),
    /** The project's name as it is configured. */
    repository: project,
    /** `refs/tags/v1.0`, `refs/heads/main`. */
    ref: z.string().max(300),
    /** Whole hash of the commit, of an annotated tag the one that it names. */
    commit: z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/u),
    of: z.enum(["tag", "branch"]),
  }),
]);
export type WatchEvent = z.infer<typeof WatchEvent>;

/** More files than this of one release are not named one by one. */
export const MAX_NAMED_FILES = 2000;
const MAX_REASON_CHARS = 500;

/** A yank's reason as an event may hold it. */
export function yankReason(text: string | null): string | null {
  return text === null || text === "" ? null : text.slice(0, MAX_REASON_CHARS);
}
