import { isName, normaliseName } from "./names.ts";
import { parseRequirement } from "./requirements.ts";
import type { SpecifierSet } from "./specifiers.ts";

/** What a person may ask the farm to test. */
export type Target =
  | {
      readonly kind: "release";
      readonly project: string;
      readonly extras: readonly string[];
      readonly specifiers: SpecifierSet;
    }
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "archive"; readonly path: string; readonly format: "sdist" | "wheel" }
  | {
      readonly kind: "git";
      readonly url: string;
      readonly ref: string | null;
      readonly subdirectory: string | null;
    };

export type TargetResult =
  | { readonly kind: "ok"; readonly target: Target }
  | { readonly kind: "bad"; readonly why: string; readonly nextStep: string };

/**
 * Reads the command line's way to name a source: `lmdb`, `attrs==25.3.0`, `./path`, `x-1.0.tar.gz`,
 * `git+https://host/repo@ref`. Looks at nothing but the text: whether a path exists is for the caller to say.
 */
export function parseTarget(text: string): TargetResult {
  const given = text.trim();
  if (given === "")
    return bad("nothing is named", "name a package, such as lmdb or 'attrs==25.3.0'");
  if (/^git\+/i.test(given)) return parseGit(given.slice(4));
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(given)) {
    return bad(
      "an address must be that of a git repository",
      `write git+${given.replace(/^http:/i, "https:")} to have a repository tested`,
    );
  }
  if (/^[^/@]+@\s*[a-z+]+:\/\//i.test(given)) return parseRelease(given);
  if (/\.whl$/i.test(given)) return ok({ kind: "archive", path: given, format: "wheel" });
  if (/\.(?:tar\.gz|tgz|zip|tar\.bz2|tar\.xz)$/i.test(given))
    return ok({ kind: "archive", path: given, format: "sdist" });
  if (given === "." || given === ".." || given.includes("/"))
    return ok({ kind: "directory", path: given });
  return parseRelease(given);
}

function parseRelease(given: string): TargetResult {
  const requirement = parseRequirement(given);
  if (requirement === null) {
    const word = /^[^<>=!~;[\s]*/.exec(given)?.[0] ?? "";
    return isName(word)
      ? bad(
          "what follows the name is no version specifier",
          `write ${word}==VERSION, or ${word} alone for its newest release`,
        )
      : bad(
          "it is neither a project's name, a path nor a git address",
          "write a local path with a slash in it, as in ./name",
        );
  }
  if (requirement.url !== null)
    return bad(
      "a release cannot be named by an address",
      "write git+https://host/repository@ref, or a local path",
    );
  if (requirement.marker !== null)
    return bad("a marker says nothing here", "choose configurations with --on");
  return ok({
    kind: "release",
    project: normaliseName(requirement.name),
    extras: requirement.extras.map(normaliseName),
    specifiers: requirement.specifiers,
  });
}

function parseGit(given: string): TargetResult {
  if (!URL.canParse(given))
    return bad("it is no git address", "write git+https://host/repository@ref");
  const url = new URL(given);
  if (url.protocol !== "https:")
    return bad(
      `git addresses must be https, not ${url.protocol.slice(0, -1)}`,
      "write git+https://host/repository@ref",
    );
  if (url.username !== "" || url.password !== "")
    return bad(
      "a git address may not hold credentials",
      "use a public address, or a local checkout",
    );
  const subdirectory = new URLSearchParams(url.hash.slice(1)).get("subdirectory");
  if (
    subdirectory !== null &&
    (subdirectory.startsWith("/") || subdirectory.split("/").includes(".."))
  ) {
    return bad("the subdirectory leads out of the repository", "name a directory inside it");
  }
  const at = url.pathname.indexOf("@");
  const ref = at < 0 ? null : decodeURIComponent(url.pathname.slice(at + 1));
  if (ref !== null && !isRef(ref))
    return bad("what follows the @ is no git ref", "name a tag, a branch or a commit");
  url.pathname = at < 0 ? url.pathname : url.pathname.slice(0, at);
  url.hash = "";
  return ok({ kind: "git", url: url.href, ref, subdirectory });
}

/** As git-check-ref-format has it, roughly; never what could be read as an option. */
function isRef(ref: string): boolean {
  return (
    ref.length <= 200 &&
    /^[A-Za-z0-9][\w./+@-]*$/.test(ref) &&
    !/\.\.|@\{|\/\/|\.lock$|\/$|\.$/.test(ref)
  );
}

function ok(target: Target): TargetResult {
  return { kind: "ok", target };
}

function bad(why: string, nextStep: string): TargetResult {
  return { kind: "bad", why, nextStep };
}
