import { clip, printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import { sameVersion } from "../python/versions.ts";
import { parseSide, type Pin, type Side } from "./side.ts";

/** What a side has of the project that changes. */
export type ReleaseSide =
  /** Whatever the index has: as every other attempt. */
  | { readonly kind: "any" }
  | { readonly kind: "pin"; readonly version: string }
  | { readonly kind: "wheel"; readonly path: string; readonly version: string };

/** The one thing that differs between two sides. */
export type Change =
  | {
      readonly kind: "release";
      /** Normalised. */
      readonly project: string;
      readonly a: ReleaseSide;
      readonly b: ReleaseSide;
      /** The same on both sides. */
      readonly fixed: readonly Pin[];
    }
  | { readonly kind: "date"; readonly a: string | null; readonly b: string | null }
  | { readonly kind: "image"; readonly a: string; readonly b: string }
  | { readonly kind: "interpreter"; readonly a: string; readonly b: string }
  | {
      readonly kind: "env";
      readonly name: string;
      readonly a: string | null;
      readonly b: string | null;
    };

export interface Sides {
  /** As typed, for people. */
  readonly a: string;
  readonly b: string;
  readonly change: Change;
}

/**
 * Reads both sides, and what changes between them: exactly one thing.
 * @throws CreameryError `usage` where they change nothing, more than one thing, or are of two kinds; and of `parseSide`.
 */
export function parseSides(a: string, b: string): Sides {
  const label = (typed: string) => clip(printableLine(typed.trim()), 100);
  return {
    a: label(a),
    b: label(b),
    change: changeOf(parseSide(a), parseSide(b), [label(a), label(b)]),
  };
}

function changeOf(a: Side, b: Side, typed: readonly [string, string]): Change {
  const refuse = (reason: string, nextStep: string) =>
    new CreameryError("usage", reason, { input: typed.join(" and "), nextStep });
  const same = () => refuse("are the same on both sides", "change one thing between them");
  const named = [a, b].find(({ kind }) => kind !== "none");
  if (named === undefined) throw same();
  switch (named.kind) {
    case "pins":
    case "wheel":
      return releaseChange(a, b, refuse, same);
    case "date": {
      const [one, other] = [a, b].map((side) => (side.kind === "date" ? side.before : null));
      if (!ofKind(["date", "none"], a, b)) break;
      if (one === other) throw same();
      return { kind: "date", a: one ?? null, b: other ?? null };
    }
    case "image": {
      if (a.kind !== "image" || b.kind !== "image") break;
      if (a.image === b.image) throw same();
      return { kind: "image", a: a.image, b: b.image };
    }
    case "interpreter": {
      if (a.kind !== "interpreter" || b.kind !== "interpreter") break;
      if (a.configuration === b.configuration) throw same();
      return { kind: "interpreter", a: a.configuration, b: b.configuration };
    }
    case "env": {
      if (!ofKind(["env", "none"], a, b)) break;
      const names = [a, b].flatMap((side) => (side.kind === "env" ? side.name : []));
      if (new Set(names).size > 1)
        throw refuse("set two variables", "give the same variable two values, or none on one side");
      const [one, other] = [a, b].map((side) => (side.kind === "env" ? side.value : null));
      if (one === other) throw same();
      return { kind: "env", name: names[0] ?? "", a: one ?? null, b: other ?? null };
    }
    case "none":
      throw same();
  }
  throw refuse(
    "change more than one thing: they are of two kinds",
    named.kind === "image" || named.kind === "interpreter"
      ? "name both sides, as in image:stable image:next or on:cpython-3.13 on:cpython-3.14"
      : "give both sides the same form, or none for one of them",
  );
}

function ofKind(kinds: readonly Side["kind"][], ...sides: readonly Side[]): boolean {
  return sides.every(({ kind }) => kinds.includes(kind));
}

function releaseChange(
  a: Side,
  b: Side,
  refuse: (reason: string, nextStep: string) => CreameryError,
  same: () => CreameryError,
): Change {
  const [one, other] = [releasesOf(a), releasesOf(b)];
  if (one === null || other === null)
    throw refuse(
      "change more than one thing: they are of two kinds",
      "give both sides a release or a wheel of the same project, or none for one of them",
    );
  const projects = [...new Set([...one.keys(), ...other.keys()])];
  const differing = projects.filter((project) => !isSame(one.get(project), other.get(project)));
  const [project, second] = differing;
  if (project === undefined) throw same();
  if (second !== undefined)
    throw refuse(
      `change more than one thing: ${differing.join(", ")}`,
      "let both sides name the same releases but for one project",
    );
  const fixed = projects.flatMap((name): Pin[] => {
    const release = one.get(name);
    return name === project || release?.kind !== "pin"
      ? []
      : [{ project: name, version: release.version }];
  });
  const any: ReleaseSide = { kind: "any" };
  return {
    kind: "release",
    project,
    a: one.get(project) ?? any,
    b: other.get(project) ?? any,
    fixed,
  };
}

function releasesOf(side: Side): ReadonlyMap<string, ReleaseSide> | null {
  switch (side.kind) {
    case "none":
      return new Map();
    case "pins":
      return new Map(
        side.pins.map(({ project, version }) => [project, { kind: "pin", version } as const]),
      );
    case "wheel": {
      const { project, path, version } = side;
      return new Map([[project, { kind: "wheel", path, version } as const]]);
    }
    case "date":
    case "image":
    case "interpreter":
    case "env":
      return null;
  }
}

function isSame(one: ReleaseSide | undefined, other: ReleaseSide | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  if (one.kind === "pin" && other.kind === "pin") return sameVersion(one.version, other.version);
  return one.kind === "wheel" && other.kind === "wheel" && one.path === other.path;
}
