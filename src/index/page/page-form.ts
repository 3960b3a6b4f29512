import { FARM_PAGE_TYPE, parseFarmPage } from "./farm-page.ts";
import { parseProjectPage, type ProjectPage } from "./project-page.ts";
import { shownUrl } from "../upstream/secret.ts";
import type { Upstream } from "../upstream/upstreams.ts";

/** JSON where an index has it. */
export const PAGE_ACCEPT =
  "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

/** How pages are asked for and read. */
export interface PageForm {
  readonly accept: string;
  /** Below the upstream's address. */
  path(name: string): string;
  parse(body: Buffer, contentType: string, pageUrl: string, name: string): ProjectPage | null;
}

export function formOf({ url, farm }: Upstream): PageForm {
  if (farm === undefined)
    return {
      accept: PAGE_ACCEPT,
      path: (name) => `${name}/`,
      parse: (body, contentType, pageUrl, name) =>
        parseProjectPage(body, contentType, pageUrl, name, shownUrl(url)),
    };
  return {
    accept: FARM_PAGE_TYPE,
    path: (name) => `pages/${name}`,
    parse: (body, _contentType, _pageUrl, name) => parseFarmPage(body, name),
  };
}
