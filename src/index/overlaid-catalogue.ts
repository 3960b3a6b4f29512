import { createHash } from "node:crypto";

import { CreameryError } from "../base/errors.ts";
import { parseSdistFilename, parseWheelFilename } from "../python/distribution-filename.ts";
import { sameVersion } from "../python/versions.ts";
import type { Catalogue } from "./catalogue.ts";
import type { IndexFile, ProjectPage } from "./page/project-page.ts";

/** The one release of a project that an endpoint has. */
export interface OnlyRelease {
  /** Normalised. */
  readonly project: string;
  readonly version: string;
  /** A wheel that this index keeps by its hash, in the place of whatever upstream has; null for upstream's own files. */
  readonly wheel: { readonly filename: string; readonly sha256: string } | null;
}

/**
 * A catalogue that has one release alone of some projects. Whatever tool asks, in the environment or in an isolated
 * build, by whatever options: there is no other to be had.
 */
export function overlaidCatalogue(catalogue: Catalogue, only: readonly OnlyRelease[]): Catalogue {
  if (only.length === 0) return catalogue;
  const releases = new Map(only.map((release) => [release.project, release]));
  const pages = new WeakMap<ProjectPage, ProjectPage>();
  const own = new Map(
    only.flatMap(({ project, wheel, version }) =>
      wheel === null ? [] : [[project, ownPage(project, version, wheel)] as const],
    ),
  );
  return {
    ...catalogue,
    page: async (name, signal, options) => {
      const given = own.get(name);
      if (given !== undefined) return given;
      const page = await catalogue.page(name, signal, options);
      const release = releases.get(name);
      if (page === null || release === undefined) return page;
      let left = pages.get(page);
      if (left === undefined) {
        left = onlyVersion(page, release.version);
        pages.set(page, left);
      }
      return left;
    },
    follow: async (page, file) => {
      if (own.get(page.name) !== page) return catalogue.follow(page, file);
      throw new CreameryError("upstream", "is kept no more, and no upstream has it", {
        input: file.filename,
        nextStep: "give the wheel once more",
      });
    },
    confirmMetadata: (page, file, stored) =>
      file.url.startsWith(OWN_SCHEME)
        ? Promise.resolve()
        : catalogue.confirmMetadata(page, file, stored),
  };
}

const OWN_SCHEME = "creamery-wheel:";

/** A release that is named is wanted, yanked or not; an installer that is given it by the index alone would pass it over. */
function onlyVersion(page: ProjectPage, version: string): ProjectPage {
  const files = page.files
    .filter(({ filename }) => {
      const parsed = parseWheelFilename(filename) ?? parseSdistFilename(filename, page.name);
      return parsed !== null && sameVersion(parsed.version, version);
    })
    .map((file): IndexFile => ({ ...file, yanked: null, raw: { ...file.raw, yanked: false } }));
  const versions = page.versions.filter((one) => sameVersion(one, version));
  return {
    ...page,
    files,
    versions,
    raw: { ...page.raw, ...(page.raw["versions"] === undefined ? {} : { versions }) },
  };
}

function ownPage(
  project: string,
  version: string,
  { filename, sha256 }: NonNullable<OnlyRelease["wheel"]>,
): ProjectPage {
  return {
    name: project,
    versions: [version],
    status: "active",
    lastSerial: null,
    upstream: `${OWN_SCHEME}//${sha256}`,
    stale: false,
    contentSha256: createHash("sha256").update(`${filename} ${sha256}`).digest("hex"),
    raw: { meta: { "api-version": "1.0" }, name: project },
    files: [
      {
        filename,
        url: `${OWN_SCHEME}//${sha256}/${filename}`,
        sha256,
        sizeBytes: null,
        requiresPython: null,
        yanked: null,
        uploadTime: null,
        upstreamMetadata: null,
        key: sha256,
        raw: { filename, hashes: { sha256 } },
      },
    ],
  };
}
