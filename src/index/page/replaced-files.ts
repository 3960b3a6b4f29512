import { goneFiles, idOf } from "../past/page-history.ts";
import type { ProjectPage } from "./project-page.ts";

/** One file's name, and other bytes than this mirror saw it have: nothing that an honest index lets happen. */
export interface ReplacedFile {
  readonly filename: string;
  /** sha256 before and now. */
  readonly was: string;
  readonly is: string;
  /** The first look that saw it, ms since 1970. */
  readonly byMs: number;
}

/** Files of a page as it is now whose hash is another than it was. Where an index says no hash, nobody can know. */
export function replacedFiles({
  files,
  history,
}: Pick<ProjectPage, "files" | "history">): readonly ReplacedFile[] {
  const gone = goneFiles(history);
  if (gone.size === 0) return [];
  const listed = new Map(files.map(({ filename, sha256 }) => [filename, sha256]));
  const found = (history?.changes ?? []).flatMap((change) => {
    if (change.kind !== "gone" || !gone.has(idOf(change.file))) return [];
    const { filename, sha256: was } = change.file;
    const is = listed.get(filename) ?? null;
    return was === null || is === null || is === was
      ? []
      : [{ filename, was, is, byMs: change.byMs }];
  });
  return [...new Map(found.map((one) => [`${one.filename} ${one.was}`, one])).values()];
}

export function replacedLine({ filename, was, is }: Omit<ReplacedFile, "byMs">): string {
  return `${filename} has other bytes than before: its sha256 was ${was} and is ${is} by its page`;
}
