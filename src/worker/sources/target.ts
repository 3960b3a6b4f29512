import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { GIT_FORM, parseGitReference, type GitReference } from "../../index/git/git-reference.ts";
import { withoutCredentials } from "../../index/upstream/secret.ts";
import { isName, normaliseName } from "../../python/names.ts";
import { parseRequirement } from "../../python/requirements.ts";
import type { SpecifierSet } from "../../python/specifiers.ts";
import { parseVersion } from "../../python/versions.ts";

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
      /** As typed, where that might be a file's name too: a name with a dot in it, and nothing else. */
      readonly word?: string;
    }
  | {
      readonly kind: "path";
      /** As typed, with what may be extras; a `~` is the shell's, and stays what it is. */
      readonly path: string;
    }
  | ({ readonly kind: "git" } & GitReference);

/** The kernel's own bound for a path; no other kind of target comes near it. */
const MAX_CHARS = 4095;

/**
 * Reads `lmdb`, `attrs[tests]>=25`, `./directory`, `.[tests]`, `dist/x-1.0.tar.gz`, `git+https://host/repository@ref`.
 * @throws CreameryError `bad-requirement`, `usage` (no kind of target), `address-refused` (git, but not by plain https).
 */
export function parseTarget(text: string): Target {
  const given = text.trim();
  if (given === "" || given.length > MAX_CHARS || given.includes("\u0000"))
    throw new CreameryError("usage", given === "" ? "nothing is named" : "is no target", {
      input: shown(given),
      nextStep: "name a package, such as lmdb or attrs==25.3.0, or a path",
    });
  if (/^git\+/iu.test(given)) return { kind: "git", ...parseGitReference(given) };
  if (/^[\w.-]+@[\w.-]+:/u.test(given))
    throw new CreameryError("address-refused", "repositories are fetched by https alone", {
      input: shown(given.slice(given.indexOf("@") + 1)),
      nextStep: GIT_FORM,
    });
  // `name @ https://...` holds a slash too, and is no path.
  if (/^[^/@]+@\s*[a-z][a-z0-9+.-]*:\/\//iu.test(given)) return parseRelease(given);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//iu.exec(given)?.[1];
  if (scheme !== undefined) throw addressOf(scheme.toLowerCase(), given);
  // What stands in brackets at the end may be extras: only where the path is seen can that be told.
  if (/^\.{1,2}$|\/|\.(?:whl|zip|tgz|tar\.(?:gz|bz2|xz))$/iu.test(withoutBrackets(given)))
    return { kind: "path", path: given };
  return parseRelease(given);
}

function withoutBrackets(given: string): string {
  return given.replace(/(?<=.)\[[^[\]/]+\]$/u, "");
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
  if (requirement.url !== null && parseVersion(requirement.url.trim()) !== null)
    throw new CreameryError("bad-requirement", "a version follows ==", {
      input: shown(given),
      nextStep: `write ${clip(`${requirement.name}==${requirement.url.trim()}`, 80)}`,
    });
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
    ...(isName(given) && given.includes(".") ? { word: given } : {}),
  };
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
