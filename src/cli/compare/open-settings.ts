import { join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import type { ImageManifest } from "../../image/manifest.ts";
import type { IndexService } from "../../index/index-service.ts";
import type { Change, ReleaseSide } from "../../judge/change.ts";
import { directoriesFrom } from "../../launcher/directories.ts";
import { satisfiesText, parseSpecifierSet } from "../../python/specifiers.ts";
import type { HostFile } from "../../worker/attempt-job.ts";
import { keepFile } from "../../worker/keep-attempt.ts";
import { releasesOf } from "../../worker/sources/choose-release.ts";
import { resolveLocal } from "../../worker/sources/local-source.ts";
import { chooseImage } from "../farm/choose-image.ts";
import type { Farm } from "../farm/open-farm.ts";
import { settingsOf, type SideSetting } from "./side-jobs.ts";

/**
 * Brings what the sides name to this host, and sees that it is there: told before anything is run.
 * @throws CreameryError `unknown-project`, `unknown-version`, `bad-archive`, `no-such-path`, `unknown-image`, `usage`.
 */
export async function openSettings(
  change: Change,
  farm: Farm,
  signal: AbortSignal,
): Promise<{ readonly a: SideSetting; readonly b: SideSetting }> {
  const index = await farm.index;
  const images = await imagesOf(change, farm);
  if (change.kind !== "release") {
    const nothing = { a: null, b: null };
    return settingsOf(change, { images, wheels: nothing, requiresPython: nothing });
  }
  const { project } = change;
  for (const { project: name, version } of change.fixed)
    await requiresPythonOf(name, { kind: "pin", version }, index, signal);
  return settingsOf(change, {
    images,
    wheels: {
      a: await wheelOf(project, change.a, farm, index, signal),
      b: await wheelOf(project, change.b, farm, index, signal),
    },
    requiresPython: {
      a: await requiresPythonOf(project, change.a, index, signal),
      b: await requiresPythonOf(project, change.b, index, signal),
    },
  });
}

async function imagesOf(
  change: Change,
  farm: Farm,
): Promise<{ readonly a: ImageManifest; readonly b: ImageManifest }> {
  if (change.kind !== "image") return { a: farm.image, b: farm.image };
  // The farm was opened with the first.
  const images = join(directoriesFrom(process.env).cache, "images");
  const b = await chooseImage(images, change.b);
  if (b.id === farm.image.id)
    throw new CreameryError("usage", `are the same image, ${b.id}`, {
      input: `image:${change.a} and image:${change.b}`,
      nextStep: "see ./creamery image list",
    });
  return { a: farm.image, b };
}

/** `Requires-Python` of a pinned release. @throws CreameryError where no index has it. */
async function requiresPythonOf(
  project: string,
  side: ReleaseSide,
  index: IndexService,
  signal: AbortSignal,
): Promise<string | null> {
  if (side.kind !== "pin") return null;
  const input = `${project}==${side.version}`;
  const page = await index.project(project, signal);
  if (page === null)
    throw new CreameryError("unknown-project", `no index has it: ${index.addresses.join(", ")}`, {
      input,
      nextStep: "check its spelling",
    });
  const wanted = parseSpecifierSet(`==${side.version}`) ?? [];
  const releases = releasesOf(page);
  const release = releases.find(({ version }) => satisfiesText(version, wanted));
  if (release === undefined) {
    const newest = releases.slice(0, 5).map(({ version }) => version);
    throw new CreameryError(
      "unknown-version",
      newest.length === 0
        ? "the index has no release of it"
        : `there is no such release; the newest are ${newest.join(", ")}`,
      {
        input,
        nextStep:
          newest[0] === undefined ? "check its name" : `write ${project}==${newest[0]}, for one`,
      },
    );
  }
  const files = [...release.sdists, ...release.wheels];
  return files.find(({ requiresPython }) => requiresPython !== null)?.requiresPython ?? null;
}

/** The wheel that a side names, kept where the attempts' index and a reproduction find it. */
async function wheelOf(
  project: string,
  side: ReleaseSide,
  farm: Farm,
  index: IndexService,
  signal: AbortSignal,
): Promise<HostFile | null> {
  if (side.kind !== "wheel") return null;
  const { launcher, cwd, bucket } = farm;
  const { wheelFile, ...told } = await resolveLocal(side.path, { launcher, cwd }, signal);
  if (wheelFile === null || told.project !== project)
    throw new CreameryError(
      "bad-archive",
      wheelFile === null ? "is no wheel" : `is a wheel of ${told.project}, by what is in it`,
      { input: side.path, nextStep: `give a wheel of ${project}` },
    );
  await keepFile(wheelFile, bucket, signal);
  await index.keepFile(wheelFile.path, wheelFile.sha256);
  return wheelFile;
}
