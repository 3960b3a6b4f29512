import { createHash } from "node:crypto";

import { versionKey, versionOfFile } from "../page/distribution-version.ts";
import { parseUploadTime } from "./instant.ts";
import { idOf, type Change } from "./page-history.ts";
import type { IndexFile, PagePast, ProjectPage } from "../page/project-page.ts";

/** A page with nothing left out yet. */
const NOTHING: Omit<PagePast, "at"> = {
  newer: 0,
  undated: [],
  lost: [],
  restored: 0,
  unyanked: 0,
};

/** What happened between two looks counts from the second on: what was served for an instant stays so. */
function changesSince({ history }: ProjectPage, at: Date): readonly Change[] {
  return (history?.changes ?? []).filter(({ byMs }) => byMs > at.getTime());
}

/** Files, and a status, as they were; `ids` of those whose yank was undone. */
function stateBefore(page: ProjectPage, changes: readonly Change[]) {
  const files = new Map<string, IndexFile>(page.files.map((file) => [idOf(file), file]));
  const yanks = new Set<string>();
  let { status } = page;
  for (const change of changes.toReversed()) {
    switch (change.kind) {
      case "gone":
        files.set(idOf(change.file), change.file);
        break;
      case "back":
        files.delete(idOf(change));
        break;
      case "yank": {
        const file = files.get(idOf(change));
        if (file === undefined) break;
        files.set(idOf(change), asYanked(file, change.was));
        yanks.add(idOf(change));
        break;
      }
      case "status":
        status = change.was;
        break;
    }
  }
  return { files, yanks, status };
}

function asYanked(file: IndexFile, was: string | null): IndexFile {
  const yanked = was === null ? false : was === "" ? true : was;
  return { ...file, yanked: was, raw: { ...file.raw, yanked } };
}

/** Files that were listed at that instant, as far as is known, and are listed no more. */
export function filesGoneSince(page: ProjectPage, at: Date): readonly IndexFile[] {
  const changes = changesSince(page, at);
  if (!changes.some(({ kind }) => kind === "gone")) return [];
  const listed = new Set(page.files.map(idOf));
  const { files } = stateBefore(page, changes);
  return [...files].flatMap(([id, file]) => (listed.has(id) || !isBefore(file, at) ? [] : [file]));
}

/** One that is gone again, and was not there yet, is nobody's to miss. */
function isBefore({ uploadTime }: IndexFile, at: Date): boolean {
  const uploadedMs = uploadTime === null ? null : parseUploadTime(uploadTime);
  return uploadedMs !== null && uploadedMs < at.getTime();
}

/**
 * A page without what this mirror saw change after that instant: yanks, deletions, a status. Files uploaded later are still in
 * it.
 * @param kept ids (`idOf`) of files that are gone and can be had all the same; the others are told as lost.
 * @returns the very same page when nothing is to be undone.
 */
export function undoChanges(page: ProjectPage, at: Date, kept: ReadonlySet<string>): ProjectPage {
  const changes = changesSince(page, at);
  if (changes.length === 0) return page;
  const listed = new Set(page.files.map(idOf));
  const { files, yanks, status } = stateBefore(page, changes);
  const there = [...files].filter(([id]) => listed.has(id) || kept.has(id));
  const missed = [...files].filter(
    ([id, file]) => !listed.has(id) && !kept.has(id) && isBefore(file, at),
  );
  const restored = there.flatMap(([id, file]) => (listed.has(id) ? [] : [file]));
  const lost = missed.map(([, { filename }]) => filename);
  const unyanked = there.filter(([id]) => yanks.has(id)).length;
  const versions = withVersionsOf(restored, page);
  return {
    ...page,
    files: there.map(([, file]) => file),
    status,
    versions,
    raw: {
      ...page.raw,
      ...(page.raw["versions"] === undefined ? {} : { versions }),
      ...(status === page.status ? {} : { "project-status": { status } }),
    },
    // Changes are noted one after another: how many there are says which.
    contentSha256: createHash("sha256")
      .update(JSON.stringify([page.contentSha256, boundsOf(page, changes), [...kept].toSorted()]))
      .digest("hex"),
    past: { ...NOTHING, at, lost, restored: restored.length, unyanked },
  };
}

function boundsOf({ history }: ProjectPage, changes: readonly Change[]): readonly unknown[] {
  const all = history?.changes ?? [];
  return [changes.length, all.length, all[0]?.byMs, all.at(-1)?.byMs];
}

function withVersionsOf(files: readonly IndexFile[], page: ProjectPage): readonly string[] {
  const known = new Set(page.versions.map(versionKey));
  const added = files.flatMap(({ filename }) => {
    const version = versionOfFile(filename, page.name);
    if (version === null || known.has(versionKey(version))) return [];
    known.add(versionKey(version));
    return [version];
  });
  return added.length === 0 ? page.versions : [...page.versions, ...added];
}
