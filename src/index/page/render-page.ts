import { z } from "zod";

import { escapeHtml } from "./html-page.ts";
import { FARM_PAGE_TYPE, renderFarmPage } from "./farm-page.ts";
import { provenanceUrl } from "../metadata/provenances.ts";
import type { IndexFile, PagePast, ProjectPage } from "./project-page.ts";

/** `farm` is for another host of the farm alone, and no client's to choose. */
export type PageFormat = "json" | "html-v1" | "html" | "farm";

export const CONTENT_TYPES: Readonly<Record<PageFormat, string>> = {
  json: "application/vnd.pypi.simple.v1+json",
  "html-v1": "application/vnd.pypi.simple.v1+html; charset=utf-8",
  html: "text/html; charset=utf-8",
  farm: FARM_PAGE_TYPE,
};

/** The form that a client prefers (RFC 9110 12.5.1, PEP 691); null when it accepts none of ours. */
export function negotiate(accept: string | undefined): PageFormat | null {
  if (accept === undefined || accept.trim() === "") return "html";
  const types: readonly (readonly [PageFormat, readonly string[]])[] = [
    [
      "json",
      [
        "application/vnd.pypi.simple.v1+json",
        "application/vnd.pypi.simple.latest+json",
        "application/*",
        "*/*",
      ],
    ],
    [
      "html-v1",
      [
        "application/vnd.pypi.simple.v1+html",
        "application/vnd.pypi.simple.latest+html",
        "application/*",
        "*/*",
      ],
    ],
    ["html", ["text/html", "text/*", "*/*"]],
  ];
  const weights = new Map<string, number>();
  for (const part of accept.toLowerCase().split(",").slice(0, 50)) {
    const [type = "", ...parameters] = part.split(";").map((piece) => piece.trim());
    const quality = parameters.find((parameter) => parameter.startsWith("q="));
    const weight = quality === undefined ? 1 : Number(quality.slice(2));
    if (Number.isFinite(weight)) weights.set(type, Math.min(1, Math.max(0, weight)));
  }
  let best: { readonly format: PageFormat; readonly weight: number; readonly rank: number } | null =
    null;
  for (const [format, names] of types) {
    // The most particular range that names it decides.
    const rank = names.findIndex((name) => weights.has(name));
    const weight = rank < 0 ? 0 : (weights.get(names[rank] ?? "") ?? 0);
    // A client that takes anything gets plain HTML, as old ones expect.
    const particular = names[rank] === "*/*" ? (format === "html" ? 1 : 0) : 2;
    if (
      weight > 0 &&
      (best === null || weight > best.weight || (weight === best.weight && particular > best.rank))
    )
      best = { format, weight, rank: particular };
  }
  return best?.format ?? null;
}

/** Our address of a file, relative to the project's page: right under any token and origin. */
export function relativeUrl(page: ProjectPage, file: IndexFile): string {
  return `../../files/${page.name}/${file.key}/${encodeURIComponent(file.filename)}`;
}

/** Wheels have metadata at our end in any case; whatever else upstream serves beside its files, it does so under its own addresses. */
function hasMetadata(file: IndexFile): boolean {
  return file.filename.endsWith(".whl") || file.upstreamMetadata !== null;
}

export function renderPage(page: ProjectPage, format: PageFormat): string {
  switch (format) {
    case "json":
      return renderJson(page);
    case "farm":
      return renderFarmPage(page);
    case "html":
    case "html-v1":
      return renderHtml(page);
  }
}

function renderJson(page: ProjectPage): string {
  const said = typeof page.raw["meta"] === "object" ? page.raw["meta"] : {};
  const meta = { "api-version": "1.0", ...said };
  const files = page.files.map((file) => {
    const sha256 = file.upstreamMetadata?.sha256 ?? null;
    const metadata = sha256 === null ? true : { sha256 };
    const url = relativeUrl(page, file);
    return {
      ...file.raw,
      url,
      ...(provenanceUrl(file) === null ? {} : { provenance: `${url}.provenance` }),
      ...(hasMetadata(file)
        ? { "core-metadata": metadata, "data-dist-info-metadata": metadata }
        : {}),
    };
  });
  return JSON.stringify({ ...page.raw, meta, name: page.name, files });
}

function renderHtml(page: ProjectPage): string {
  const meta = page.status === "active" ? "" : statusMeta(page);
  const past = page.past === undefined ? "" : pastMeta(page.past);
  const rows = page.files.map((file) => {
    const sha256 = file.upstreamMetadata?.sha256 ?? null;
    const metadata = sha256 === null ? "true" : `sha256=${sha256}`;
    const attributes = [
      `href="${escapeHtml(`${relativeUrl(page, file)}${hashOf(file)}`)}"`,
      file.requiresPython === null
        ? ""
        : `data-requires-python="${escapeHtml(file.requiresPython)}"`,
      file.yanked === null ? "" : `data-yanked="${escapeHtml(file.yanked)}"`,
      hasMetadata(file)
        ? `data-core-metadata="${escapeHtml(metadata)}" data-dist-info-metadata="${escapeHtml(metadata)}"`
        : "",
      provenanceUrl(file) === null
        ? ""
        : `data-provenance="${escapeHtml(relativeUrl(page, file))}.provenance"`,
    ];
    return `<a ${attributes.filter((attribute) => attribute !== "").join(" ")}>${escapeHtml(file.filename)}</a><br>`;
  });
  return `<!DOCTYPE html>\n<html><head><meta name="pypi:repository-version" content="1.0">${meta}${past}<title>Links for ${escapeHtml(page.name)}</title></head>\n<body><h1>Links for ${escapeHtml(page.name)}</h1>\n${rows.join("\n")}\n</body></html>\n`;
}

/** A link of HTML has one, and it is all that pip holds the file against where we can't: the best that there is. */
const HASHES = ["sha512", "sha384", "sha224", "sha1", "md5"];

function hashOf({ sha256, raw }: IndexFile): string {
  if (sha256 !== null) return `#sha256=${sha256}`;
  const said = z.record(z.string(), z.string()).safeParse(raw["hashes"]).data ?? {};
  const best = HASHES.find((algorithm) => said[algorithm] !== undefined);
  return best === undefined ? "" : `#${best}=${said[best]?.toLowerCase() ?? ""}`;
}

/** PEP 792. */
function statusMeta({ status, raw }: ProjectPage): string {
  const said = z.object({ reason: z.string() }).safeParse(raw["project-status"]);
  const reason = said.success
    ? `<meta name="pypi:project-status-reason" content="${escapeHtml(said.data.reason)}">`
    : "";
  return `<meta name="pypi:project-status" content="${escapeHtml(status)}">${reason}`;
}

/** What the JSON says in `meta._creamery`, as far as HTML's readers look. */
function pastMeta({ at, undated, lost }: PagePast): string {
  const told = { at: at.toISOString(), undated: undated.length, lost: lost.length };
  return Object.entries(told)
    .map(([name, content]) => `<meta name="creamery:${name}" content="${content}">`)
    .join("");
}
