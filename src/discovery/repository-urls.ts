import type { CoreMetadata } from "../python/core-metadata.ts";

/** What a project calls the address of its code, the most telling first. */
const LABELS = [
  "source",
  "source code",
  "sources",
  "repository",
  "code",
  "git",
  "github",
  "gitlab",
  "codeberg",
  "homepage",
  "home",
];
const MAX_URLS = 3;
/** What forges put behind a repository's own address. */
const BEHIND =
  /\/(?:-\/.*|(?:tree|blob|src|issues|pulls?|wiki|releases|tags|commits?|archive|actions)(?:\/.*)?)$/u;

/** Addresses where a release's metadata says that its code is, each once: https, as git is given them, nothing behind a repository. */
export function repositoryUrls(
  metadata: Pick<CoreMetadata, "projectUrls" | "homePage">,
): readonly string[] {
  const labelled = LABELS.flatMap((label) =>
    metadata.projectUrls.filter(([said]) => said === label).map(([, url]) => url),
  );
  const all = [...labelled, ...(metadata.homePage === null ? [] : [metadata.homePage])];
  return [...new Set(all.flatMap((text) => cleanUrl(text)))].slice(0, MAX_URLS);
}

function cleanUrl(text: string): readonly string[] {
  const url = URL.parse(text.replace(/^git\+/iu, "").replace(/^http:/iu, "https:"));
  if (url === null || url.protocol !== "https:" || url.username !== "" || url.password !== "")
    return [];
  const path = url.pathname.replace(/\/+$/u, "").replace(BEHIND, "");
  return path === "" ? [] : [`https://${url.host}${path}`];
}
