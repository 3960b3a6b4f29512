import type { GivenRelease } from "../index/lock/write-locks.ts";
import type { AttemptJob } from "./attempt-job.ts";
import type { Installation } from "./install-release.ts";

/**
 * From what the release under test was installed where its attempt's own index did not serve that: the sdist that was
 * built, an archive of a person's own, a commit. Null for what the index served, and for a tree.
 */
export function givenRelease(
  { source, settled }: Pick<AttemptJob, "source" | "settled">,
  installation: Pick<Installation, "ok" | "installed" | "project" | "version"> | null,
): GivenRelease | null {
  if (installation?.ok !== true) return null;
  const { installed, project: name, version } = installation;
  const { kind, origin, wheelFile, sourceFile } = source;
  if (kind === "sdist" || kind === "wheel") {
    const file = installed === "wheel" ? wheelFile : sourceFile;
    if (file === null) return null;
    const { filename, sha256 } = file;
    return { name, version, from: { kind: "archive", filename, sha256 } };
  }
  if (origin === undefined || (installed === "wheel" && (settled?.wheel ?? null) === null))
    return null;
  return { name, version, from: origin };
}
