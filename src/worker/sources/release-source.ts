import { CreameryError } from "../../base/errors.ts";
import { recordedFile } from "../../index/record/attempt-record.ts";
import type { IndexFile, IndexService, ProjectPage } from "../../index/index-service.ts";
import { formatSpecifierSet } from "../../python/specifiers.ts";
import type { ResolvedSource } from "../attempt-job.ts";
import { chooseRelease } from "./choose-release.ts";
import type { Target } from "./target.ts";

/**
 * A release as the host's index has it; its sdist is fetched and verified, wheels are for the guest's installer to fetch.
 * @throws CreameryError `unknown-project`, `unknown-version`, `no-distribution`, and those of `IndexService`.
 */
export async function resolveRelease(
  target: Extract<Target, { readonly kind: "release" }>,
  index: IndexService,
  signal: AbortSignal,
): Promise<ResolvedSource> {
  const kept = await index.project(target.project, signal);
  // What was released just now is not on a page that was kept before: it is asked for once more.
  const page = hasRelease(kept, target)
    ? kept
    : await index.project(target.project, signal, { anew: true });
  if (page === null) {
    throw new CreameryError("unknown-project", `no index has it: ${index.addresses.join(", ")}`, {
      input: `${target.project}${formatSpecifierSet(target.specifier ?? [])}`,
      nextStep: `check its spelling, or write ./${target.project} if it is a directory`,
    });
  }
  const { version, yanked, sdists, wheels } = chooseRelease(page, target.specifier);
  const [sdist, wheel] = [sdists[0], wheels[0]];
  const rows = [...(sdist === undefined ? [] : [sdist]), ...wheels];
  const stored = sdist === undefined ? null : await index.fetchFile(page, sdist, signal);
  const extras = target.extras.length === 0 ? "" : `[${target.extras.join(",")}]`;
  return {
    kind: "release",
    project: page.name,
    version,
    extras: target.extras,
    sourceFile:
      sdist === undefined || stored === null
        ? null
        : { path: stored.path, filename: sdist.filename, sha256: stored.sha256 },
    wheelFile: null,
    wheelNames: wheels.map(({ filename }) => filename),
    requiresPython:
      rows.find(({ requiresPython }) => requiresPython !== null)?.requiresPython ?? null,
    yanked: yanked ? (rows[0]?.yanked ?? null) : null,
    ...(sdist === undefined || stored === null
      ? {}
      : { origin: { kind: "index", file: recordedFile(page, sdist, stored) } }),
    sha256: stored?.sha256 ?? (await sha256Of(page, wheel, index, signal)),
    label: `${page.name}${extras} ${version}`,
  };
}

function hasRelease(
  page: ProjectPage | null,
  { specifier }: Extract<Target, { readonly kind: "release" }>,
): page is ProjectPage {
  if (page === null) return false;
  try {
    chooseRelease(page, specifier);
    return true;
  } catch {
    return false;
  }
}

/** As the index says it; an index that says none must send the file to have it known. */
async function sha256Of(
  page: ProjectPage,
  wheel: IndexFile | undefined,
  index: IndexService,
  signal: AbortSignal,
): Promise<string> {
  if (wheel === undefined)
    throw new CreameryError("internal", "a release without files was chosen", { input: page.name });
  return wheel.sha256 ?? (await index.fetchFile(page, wheel, signal)).sha256;
}
