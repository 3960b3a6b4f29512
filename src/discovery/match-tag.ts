import { normaliseName } from "../python/names.ts";
import { parseVersion, sameVersion } from "../python/versions.ts";

export interface KnownTag {
  /** Without `refs/tags/`. */
  readonly name: string;
  /** What it stands for, annotated tags peeled. */
  readonly commit: string;
}

export type MatchedTag =
  | { readonly kind: "one"; readonly tag: string; readonly commit: string }
  | { readonly kind: "none" }
  /** Tags that say the same and stand for different commits. */
  | { readonly kind: "several"; readonly tags: readonly string[] };

/** What stands before a version, once a project's name is taken off. */
const PREFIX = /^(?:v|release[-_/]v?|rel[-_/]v?|version[-_/]v?)?(?=\d)/iu;
const SHOWN = 5;
/** Longer is no release's tag, nor one with more parts: who makes up tags must not keep us busy with them. */
const MAX_CHARS = 200;
const MAX_PARTS = 24;

/**
 * The tag of a release: its version as PEP 440 compares it, alone or behind `v`, `release-` and the like, with or without the
 * project's name before that. One with the name goes before one without: a repository may hold several projects. Nothing is guessed:
 * where two of a kind stand for different commits it is neither.
 * @param project normalised.
 */
export function matchTag(all: readonly KnownTag[], project: string, version: string): MatchedTag {
  const tags = all.filter(({ name }) => name.length <= MAX_CHARS);
  const ofProject = tags.filter(({ name }) => {
    const rest = withoutProject(name, project);
    return rest !== null && saysVersion(rest, version);
  });
  const found =
    ofProject.length > 0 ? ofProject : tags.filter(({ name }) => saysVersion(name, version));
  const [first] = found;
  if (first === undefined) return { kind: "none" };
  if (found.some(({ commit }) => commit !== first.commit))
    return { kind: "several", tags: found.slice(0, SHOWN).map(({ name }) => name) };
  return { kind: "one", tag: first.name, commit: first.commit };
}

function saysVersion(text: string, version: string): boolean {
  const said = text.replace(PREFIX, "");
  return /^\d/u.test(said) && parseVersion(said) !== null && sameVersion(said, version);
}

/** What follows the project's name: `1.2` of `My_Pkg-1.2`, `my.pkg/v1.2` or `my-pkg@1.2`; null where that is not before it. */
function withoutProject(name: string, project: string): string | null {
  let parts = 0;
  for (const { index, 0: mark } of name.matchAll(/[-_/@=]+/gu)) {
    if (++parts > MAX_PARTS) return null;
    const before = name.slice(0, index).replaceAll("/", "-");
    if (normaliseName(before) === project) return name.slice(index + mark.length);
  }
  return null;
}
