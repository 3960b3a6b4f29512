import { createHash } from "node:crypto";

import { z } from "zod";

import { parseSdistFilename, parseWheelFilename } from "../../python/distribution-filename.ts";
import { isName, normaliseName } from "../../python/names.ts";
import { isFilename } from "../files/kept-file.ts";
import { parseAnchors } from "./html-page.ts";
import { asIndexFile, UpstreamFile, type IndexFile } from "./index-file.ts";
import type { PageHistory } from "../past/page-history.ts";

export type { IndexFile } from "./index-file.ts";

/** One project's page of a simple index (PEP 503, 691, 700, 714, 740, 792), keys that are not known here kept as they are. */

const UpstreamPage = z.looseObject({
  // Some proxies write the serial as a string.
  meta: z
    .looseObject({ "_last-serial": z.coerce.number().int().optional().catch(undefined) })
    .default({})
    .catch({}),
  name: z.string(),
  versions: z.array(z.string()).optional().catch(undefined),
  "project-status": z
    .looseObject({ status: z.string(), reason: z.string().optional().catch(undefined) })
    .optional()
    .catch(undefined),
  files: z.array(z.unknown()),
});

export interface ProjectPage {
  /** Normalised. */
  readonly name: string;
  /** As upstream lists them (PEP 700); empty where it does not. */
  readonly versions: readonly string[];
  readonly files: readonly IndexFile[];
  /** PEP 792: `active`, `archived`, `quarantined`, `deprecated`. */
  readonly status: string;
  readonly lastSerial: number | null;
  /** The upstream's address, without credentials. */
  readonly upstream: string;
  /** Upstream could not be asked just now: this is what it said before. */
  readonly stale: boolean;
  /** Of what upstream sent, hexadecimal. */
  readonly contentSha256: string;
  /** Top-level keys but for `files`. */
  readonly raw: Readonly<Record<string, unknown>>;
  /** What was seen to change in it; undefined where nothing was. */
  readonly history?: PageHistory | undefined;
  /** Of a page as it was at an instant; undefined for one as it is. */
  readonly past?: PagePast | undefined;
}

/** How a page as it was differs from the one that is, and what is not known of it. */
export interface PagePast {
  readonly at: Date;
  /** Files left out that were uploaded then or later. */
  readonly newer: number;
  /** Files left out because the index does not say when they were uploaded. */
  readonly undated: readonly string[];
  /** Files that were there and of which no bytes are kept. */
  readonly lost: readonly string[];
  /** Files that are listed no more, and are kept. */
  readonly restored: number;
  /** Files that were yanked since, or no more. */
  readonly unyanked: number;
}

/** A page larger than this many files is no project's page. */
const MAX_FILES = 200_000;

/**
 * Reads a page as an upstream sent it.
 * @param pageUrl after redirects: relative addresses are resolved against it.
 * @returns null when it is neither JSON nor HTML of a project's page.
 */
export function parseProjectPage(
  body: Buffer,
  contentType: string,
  pageUrl: string,
  name: string,
  upstream: string,
): ProjectPage | null {
  const text = body.toString("utf8");
  const parsed = /json/iu.test(contentType) ? readJson(text) : readHtml(text, contentType, name);
  if (parsed === null || parsed.files.length > MAX_FILES) return null;
  // Of whatever stands between that mixes its answers up.
  if (normaliseName(parsed.page.name) !== normaliseName(name)) return null;
  const base = parsed.base === null ? pageUrl : (URL.parse(parsed.base, pageUrl)?.href ?? pageUrl);
  const { files: _files, versions, ...raw } = parsed.page;
  const files = parsed.files.flatMap((file) => {
    const read = asIndexFile(file, base);
    return read === null ? [] : [read];
  });
  // Files that all can't be read mean that the page can't: a project without files is another thing.
  if (files.length === 0 && parsed.files.length > 0) return null;
  return {
    name: normaliseName(name),
    versions: versions ?? [],
    files,
    status: raw["project-status"]?.status ?? "active",
    lastSerial: parsed.page.meta["_last-serial"] ?? null,
    upstream,
    stale: false,
    contentSha256: createHash("sha256").update(body).digest("hex"),
    raw: { ...raw, ...(versions === undefined ? {} : { versions }) },
  };
}

interface ReadPage {
  readonly page: z.infer<typeof UpstreamPage>;
  readonly files: readonly UpstreamFile[];
  readonly base: string | null;
}

function readJson(text: string): ReadPage | null {
  let value: unknown;
  try {
    // pip passes by the mark that some servers begin a text with.
    value = JSON.parse(text.replace(/^\uFEFF/u, ""));
  } catch {
    return null;
  }
  const page = UpstreamPage.safeParse(value);
  if (!page.success) return null;
  const files = page.data.files.map((file) => UpstreamFile.safeParse(file));
  // One file that can't be read must not hide the project's others, unless none can be.
  const good = files.flatMap((file) => (file.success ? [file.data] : []));
  if (good.length === 0 && files.length > 0) return null;
  return { page: page.data, files: good, base: null };
}

const MAX_HREF_CHARS = 8000;
/** What a link must end with to be a file: pages link to other things too. */
const DISTRIBUTION = /\.(?:whl|egg|zip|tar\.[a-z0-9]+|t[gbx]z2?|exe|msi|rpm|deb|dmg)$/iu;
/** As indexes, and servers of plain directories, head a page. */
const EMPTY_PAGE = /\b(?:links for|index of)\b|pypi:(?:repository-version|project-status)/iu;

function readHtml(text: string, contentType: string, name: string): ReadPage | null {
  if (!/html/iu.test(contentType) && !/<(?:!doctype html|html|a\s)/iu.test(text.slice(0, 4096)))
    return null;
  const parsed = parseAnchors(text);
  if (parsed === null) return null;
  const files = parsed.anchors.flatMap(({ text: shown, attributes }) => {
    const href = attributes.get("href");
    if (href === undefined || href.length > MAX_HREF_CHARS) return [];
    const [url = "", ...fragments] = href.split("#");
    const filename = filenameOf(shown, url, normaliseName(name));
    if (!DISTRIBUTION.test(filename)) return [];
    const hash = fragments
      .join("#")
      .split("&")
      .map((part) => /^(sha256|sha384|sha512|sha1|md5)=(.*)$/iu.exec(part))
      .findLast((found) => found !== null);
    const metadata =
      attributes.get("data-core-metadata") ?? attributes.get("data-dist-info-metadata");
    const metadataHash = metadata === undefined ? null : /^sha256=([0-9a-f]{64})$/iu.exec(metadata);
    const yanked = attributes.get("data-yanked");
    const uploadTime = attributes.get("data-upload-time");
    const size = attributes.get("data-size");
    return [
      {
        filename,
        url,
        hashes:
          hash?.[1] === undefined || hash[2] === undefined
            ? {}
            : { [hash[1].toLowerCase()]: hash[2].toLowerCase() },
        ...(attributes.has("data-requires-python")
          ? { "requires-python": attributes.get("data-requires-python") }
          : {}),
        ...(yanked === undefined ? {} : { yanked: yanked === "" ? true : yanked }),
        ...(uploadTime === undefined ? {} : { "upload-time": uploadTime }),
        ...(size !== undefined && /^\d{1,15}$/u.test(size) ? { size: Number(size) } : {}),
        ...(metadata === undefined || metadata === "false"
          ? {}
          : {
              "core-metadata":
                metadataHash?.[1] === undefined ? true : { sha256: metadataHash[1].toLowerCase() },
            }),
        ...(attributes.has("data-provenance")
          ? { provenance: attributes.get("data-provenance") }
          : {}),
      },
    ];
  });
  const status = parsed.meta.get("pypi:project-status");
  // What is sent in the place of a page, to log in or to say sorry, is HTML too: a project without files is told as one.
  if (files.length === 0 && !EMPTY_PAGE.test(text.slice(0, 4096))) return null;
  const reason = parsed.meta.get("pypi:project-status-reason");
  return {
    page: {
      meta: { "api-version": "1.0" },
      name,
      files: [],
      ...(status === undefined
        ? {}
        : { "project-status": { status, ...(reason === undefined ? {} : { reason }) } }),
    },
    files,
    base: parsed.base,
  };
}

/**
 * Servers of plain directories cut long names short in what is shown, and installers go by the address. What is not of the
 * project is none of its files: pages to log in at have programs to install.
 */
function filenameOf(shown: string, url: string, project: string): string {
  if (DISTRIBUTION.test(shown) && isFilename(shown)) return shown;
  const [path = ""] = url.split("?");
  try {
    const named = decodeURIComponent(path.split("/").at(-1) ?? "");
    const parsed = parseWheelFilename(named) ?? parseSdistFilename(named, project);
    return isFilename(named) && parsed?.project === project ? named : shown;
  } catch {
    return shown;
  }
}

/** Is this path segment a project's name as we serve it; null when it can be none. */
export function projectSegment(
  segment: string,
): { readonly name: string; readonly normalised: boolean } | null {
  if (!isName(segment)) return null;
  const name = normaliseName(segment);
  return { name, normalised: name === segment };
}
