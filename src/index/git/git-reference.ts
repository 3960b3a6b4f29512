import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { parseHttpsUrl } from "../../base/guarded-fetch.ts";

/** `git+https://host/repository@ref` (pip's form); the ref is a branch, a tag or a whole commit hash. */
export interface GitReference {
  readonly url: string;
  /** Null for the repository's default branch. */
  readonly ref: string | null;
}

/** The next step wherever a git address is not what it should be. */
export const GIT_FORM = "write git+https://host/repository@ref";

/**
 * Reads pip's form of a git address. What would not be obeyed is refused: left out silently, something else would be
 * fetched than was asked for. Messages show host and ref alone: the rest may hold a password.
 * @throws CreameryError `address-refused` (no https, credentials), `usage` (no address of a repository, a ref that can be none).
 */
export function parseGitReference(text: string): GitReference {
  const url = URL.parse(text.replace(/^git\+/iu, ""));
  if (url === null)
    throw new CreameryError("usage", "is no git address", { input: "git+", nextStep: GIT_FORM });
  const input = `git+${url.protocol}//${url.host}`;
  if (url.protocol !== "https:")
    throw new CreameryError("address-refused", "repositories are fetched by https alone", {
      input,
      nextStep: GIT_FORM,
    });
  parseHttpsUrl(url.href);
  if (url.hash !== "" || url.search !== "")
    throw new CreameryError("usage", "what follows a # or ? of a git address is not obeyed", {
      input,
      nextStep: url.hash.includes("subdirectory=")
        ? "clone it, and give the path of the directory that holds pyproject.toml"
        : GIT_FORM,
    });
  const at = url.pathname.indexOf("@");
  const ref = at < 0 ? null : decoded(url.pathname.slice(at + 1));
  if (ref !== null && (!/^[A-Za-z0-9_][\w./+-]{0,199}$/u.test(ref) || ref.includes(".."))) {
    throw new CreameryError("usage", "is no branch, tag or commit", {
      input: clip(printableLine(ref), 80),
      nextStep: GIT_FORM,
    });
  }
  url.pathname = at < 0 ? url.pathname : url.pathname.slice(0, at);
  if (url.pathname === "/")
    throw new CreameryError("usage", "names no repository", { input, nextStep: GIT_FORM });
  return { url: url.href, ref };
}

/** As it is where a percent sign means nothing: no ref has one. */
function decoded(ref: string): string {
  try {
    return decodeURIComponent(ref);
  } catch {
    return ref;
  }
}
