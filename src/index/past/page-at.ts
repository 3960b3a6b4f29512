import { versionKey, versionOfFile } from "../page/distribution-version.ts";
import { parseUploadTime } from "./instant.ts";
import type { PageHistory } from "./page-history.ts";
import type { PagePast, ProjectPage } from "../page/project-page.ts";

/** Of files that are named one by one. */
const MAX_NAMED = 20;

/**
 * A page as it was at an instant: with the files that were uploaded before it, not at it, as uv's `--exclude-newer` and
 * pip's `--uploaded-prior-to` have it. Where the index does not say when, a file can't be known to be old enough: it is left
 * out, and told in `past`.
 * @param page what was seen to change since is undone already (`undoChanges`).
 */
export function pageAt(page: ProjectPage, at: Date): ProjectPage {
  const atMs = at.getTime();
  const undated: string[] = [];
  let newer = 0;
  const files = page.files.filter(({ filename, uploadTime }) => {
    const uploadedMs = uploadTime === null ? null : parseUploadTime(uploadTime);
    if (uploadedMs === null) undated.push(filename);
    else if (uploadedMs >= atMs) newer++;
    return uploadedMs !== null && uploadedMs < atMs;
  });
  const there = new Set(
    files.flatMap(({ filename }) => {
      const version = versionOfFile(filename, page.name);
      return version === null ? [] : [versionKey(version)];
    }),
  );
  const versions = page.versions.filter((version) => there.has(versionKey(version)));
  const { lost = [], restored = 0, unyanked = 0 } = page.past ?? {};
  const past: PagePast = { at, newer, undated, lost, restored, unyanked };
  return {
    ...page,
    files,
    versions,
    // What it was then is not known, and that of today would say of today's page.
    lastSerial: null,
    raw: {
      ...page.raw,
      meta: metaOf(page, past),
      ...(page.raw["versions"] === undefined ? {} : { versions }),
    },
    past,
  };
}

/** `meta` of the JSON (PEP 691): keys that begin with an underscore are an index's own. */
function metaOf({ raw, history }: ProjectPage, past: PagePast): Readonly<Record<string, unknown>> {
  const upstreams = typeof raw["meta"] === "object" && raw["meta"] !== null ? raw["meta"] : {};
  const { "_last-serial": _, ...meta } = { "api-version": "1.0", ...upstreams, "_last-serial": 0 };
  const named = (files: readonly string[]) => ({
    count: files.length,
    files: files.slice(0, MAX_NAMED),
  });
  const told = {
    at: past.at.toISOString(),
    newer: past.newer,
    undated: named(past.undated),
    lost: named(past.lost),
    restored: past.restored,
    unyanked: past.unyanked,
    ...forgotten(history, past.at),
  };
  return { ...meta, _creamery: told };
}

/** More changed since that instant than is remembered. */
function forgotten(history: PageHistory | undefined, at: Date): { readonly forgotten?: string } {
  const lostMs = history?.lostBeforeMs ?? null;
  return lostMs === null || at.getTime() >= lostMs
    ? {}
    : { forgotten: new Date(lostMs).toISOString() };
}
