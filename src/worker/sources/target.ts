import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { parseGitReference, type GitReference } from "../../index/git-source.ts";
import { withoutCredentials } from "../../index/secret.ts";
import { isName, normaliseName } from "../../python/names.ts";
import { parseRequirement } from "../../python/requirements.ts";
import type { SpecifierSet } from "../../python/specifiers.ts";

/** What a person may ask to have tested, by the words alone: whether it is there is not known yet. */
export type Target =
  | {
      readonly kind: "release";
      /** Normalised (PEP 503). */
      readonly project: string;
      /** Normalised, each once. */
      readonly extras: readonly string[];
      /** Null when any release will do. */
      readonly specifier: SpecifierSet | null;
    }
  | {
      readonly kind: "path";
      /** As typed; a `~` is the shell's, and stays what it is. */
      readonly path: string;
    }
  | ({ readonly kind: "git" } & GitReference);

const GIT_FORM = "write git+https://host/repository@ref";
/** The kernel's own bound for a path; no other kind of target comes near it. */
const MAX_CHARS = 4095;

/**
 * Reads `lmdb`, `attrs[tests]>=25`, `./directory`, `dist/x-1.0.tar.gz`, `git+https://host/repository@ref`.
 * @throws CreameryError `bad-requirement`, `usage` (no kind of target), `address-refused` (git, but not by plain https).
 */
export function parseTarget(text: string): Target {
  const given = text.trim();
  if (given === "" || given.length > MAX_CHARS || given.includes("\u0000"))
    throw new CreameryError("usage", given === "" ? "nothing is named" : "is no target", {
      input: shown(given),
      nextStep: "name a package, such as lmdb or attrs==25.3.0, or a path",
    });
  if (/^git\+/iu.test(given)) return parseGit(given);
  if (/^[\w.-]+@[\w.-]+:/u.test(given))
    throw new CreameryError("address-refused", "repositories are fetched by https alone", {
      input: shown(given.slice(given.indexOf("@") + 1)),
      nextStep: GIT_FORM,
    });
  // `name @ https://...` holds a slash too, and is no path.
  if (/^[^/@]+@\s*[a-z][a-z0-9+.-]*:\/\//iu.test(given)) return parseRelease(given);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//iu.exec(given)?.[1];
  if (scheme !== undefined) throw addressOf(scheme.toLowerCase(), given);
  if (/^\.{1,2}$|\/|\.(?:whl|zip|tgz|tar\.(?:gz|bz2|xz))$/iu.test(given))
    return { kind: "path", path: given };
  return parseRelease(given);
}

function parseRelease(given: string): Target {
  const requirement = parseRequirement(given);
  if (requirement === null) {
    const word = /^[^<>=!~;[(\s]*/u.exec(given)?.[0] ?? "";
    const named = isName(word);
    throw new CreameryError(
      "bad-requirement",
      named
        ? "what follows the name is neither extras nor versions"
        : "is no project's name, and no path or git address either",
      {
        input: shown(given),
        nextStep: named
          ? `write ${clip(word, 80)}==VERSION, or ${clip(word, 80)} alone for its newest release`
          : "write a name such as lmdb, or a path with a slash in it, as in ./name",
      },
    );
  }
  if (requirement.url !== null)
    throw new CreameryError("bad-requirement", "a release can't be named by an address", {
      // Not the address itself: it may hold a password.
      input: requirement.name,
      nextStep: `${GIT_FORM}, or the path of a file or directory`,
    });
  if (requirement.marker !== null)
    throw new CreameryError("bad-requirement", "a marker (what follows the ;) says nothing here", {
      input: shown(given),
      nextStep: "leave it out, and choose interpreters by the configurations",
    });
  return {
    kind: "release",
    project: normaliseName(requirement.name),
    extras: [...new Set(requirement.extras.map(normaliseName))],
    specifier: requirement.specifiers.length === 0 ? null : requirement.specifiers,
  };
}

function parseGit(given: string): Target {
  const url = URL.parse(given.slice("git+".length));
  if (url === null)
    throw new CreameryError("usage", "is no git address", { nextStep: GIT_FORM, input: "git+" });
  const input = `git+${url.protocol}//${url.host}`;
  if (url.protocol !== "https:")
    throw new CreameryError("address-refused", "repositories are fetched by https alone", {
      input,
      nextStep: GIT_FORM,
    });
  // Left out silently, it would be another directory that is tested than was asked for.
  if (url.hash !== "" || url.search !== "")
    throw new CreameryError("usage", "what follows a # or ? of a git address is not obeyed", {
      input,
      nextStep: url.hash.includes("subdirectory=")
        ? "clone it, and give the path of the directory that holds pyproject.toml"
        : GIT_FORM,
    });
  let reference: GitReference;
  try {
    reference = parseGitReference(`git+${url.href}`);
  } catch (thrown) {
    if (thrown instanceof CreameryError) throw thrown;
    // A stray percent sign.
    throw new CreameryError("usage", "is no git address", { input, nextStep: GIT_FORM });
  }
  if (new URL(reference.url).pathname === "/")
    throw new CreameryError("usage", "names no repository", { input, nextStep: GIT_FORM });
  return { kind: "git", ...reference };
}

/** Addresses that are no target; the host alone is shown, since the rest may hold a password. */
function addressOf(scheme: string, given: string): CreameryError {
  const host = URL.parse(given)?.host ?? "";
  const next: Readonly<Record<string, string>> = {
    file: "write the path itself",
    https: `${GIT_FORM} for a repository; a file must be fetched first, and its path given`,
  };
  return new CreameryError("usage", "an address alone says not what is to be tested", {
    input: shown(`${scheme}://${host}`),
    nextStep: next[scheme] ?? next["https"] ?? GIT_FORM,
  });
}

function shown(given: string): string {
  return clip(printableLine(withoutCredentials(given)), 100);
}
