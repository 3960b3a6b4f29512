import type { AttemptRecord } from "../index/index-service.ts";

/**
 * What the index gave an attempt, as far as its outcome may depend on it: files, crates and commits by hash, sorted, the
 * release under test left out (that is another axis).
 */
export function lockedSet(
  record: Pick<AttemptRecord, "files" | "crates" | "repositories">,
  project: string,
): readonly string[] {
  return [
    ...record.files
      .filter((file) => file.project !== project)
      .map(({ filename, sha256 }) => `${filename} ${sha256}`),
    ...record.crates.map(({ name, version, sha256 }) => `crate ${name} ${version} ${sha256}`),
    ...record.repositories.flatMap(({ url, commits }) =>
      commits.map((commit) => `repository ${url} ${commit}`),
    ),
  ].toSorted();
}
