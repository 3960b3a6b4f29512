import type { Brand } from "../base/brand.ts";

/**
 * `git.example/owner/name`, in lower case, without `.git`: what two spellings of one repository have in common. It is
 * for looking a repository up, never for reaching it. No forge has two repositories whose names differ in case alone.
 */
export type RepositoryName = Brand<string, "RepositoryName">;

const NAME = /^[a-z0-9.-]+(?::\d{1,5})?(?:\/[\w.~+-]+)+$/u;
const MAX_CHARS = 512;

/** @param text an http or https address of a repository, or `host/owner/name`. @returns null when it is neither. */
export function parseRepositoryName(text: string): RepositoryName | null {
  if (text.length > 2 * MAX_CHARS || !/^[a-z0-9]/iu.test(text)) return null;
  const url = URL.parse(/^https?:\/\//iu.test(text) ? text : `https://${text}`);
  if (url === null || url.username !== "" || url.password !== "") return null;
  if (url.search !== "" || url.hash !== "") return null;
  const path = url.pathname.replace(/\/+$/u, "").replace(/\.git$/iu, "");
  const name = `${url.host}${path}`.toLowerCase();
  return isRepositoryName(name) ? name : null;
}

/** `git.example` or `git.example:8443`. */
export function hostOf(name: RepositoryName): string {
  return name.slice(0, name.indexOf("/"));
}

function isRepositoryName(name: string): name is RepositoryName {
  return name.length <= MAX_CHARS && NAME.test(name);
}
