import { parseWheelFilename } from "./distribution-filename.ts";

/** Compatibility tags (PEP 425, 600, 703, 803) of interpreters in a Linux x86_64 guest with glibc. */

export interface TagTarget {
  readonly implementation: "cpython" | "pypy";
  /** `3.13` */
  readonly version: string;
  readonly freeThreaded?: boolean;
  /** `[2, 41]`: manylinux tags up to it fit. */
  readonly glibc: readonly [number, number];
  /** PyPy's own ABI tag; derived from the version when left out. */
  readonly pypyAbi?: string;
}

/** Tags such as `cp313-cp313-manylinux_2_17_x86_64`, the best first. */
export function compatibleTags(target: TagTarget): readonly string[] {
  const [major = 3, minor = 0] = target.version.split(".").map(Number);
  const platforms = linuxPlatforms(target.glibc);
  const native =
    target.implementation === "cpython"
      ? cpythonTags(major, minor, target, platforms)
      : pypyTags(major, minor, target, platforms);
  const interpreter = `${target.implementation === "cpython" ? "cp" : "pp"}${major}${minor}`;
  const pythons = [
    `py${major}${minor}`,
    `py${major}`,
    ...descending(minor - 1, 0).map((below) => `py${major}${below}`),
  ];
  return [
    ...new Set([
      ...native,
      ...pythons.flatMap((python) => platforms.map((platform) => `${python}-none-${platform}`)),
      // A tag of the interpreter without an ABI sorts just before the pure ones.
      `${interpreter}-none-any`,
      ...pythons.map((python) => `${python}-none-any`),
    ]),
  ];
}

function cpythonTags(
  major: number,
  minor: number,
  target: TagTarget,
  platforms: readonly string[],
): readonly string[] {
  const own = `cp${major}${minor}`;
  const free = target.freeThreaded === true;
  // Before 3.3 the ABI says how wide its characters are: Debian's and every manylinux 2.7 are wide.
  const abi = major === 2 ? `${own}mu` : `${own}${free ? "t" : minor < 8 ? "m" : ""}`;
  const stable = stableAbi(major, minor, free);
  const on = (python: string, tag: string): readonly string[] =>
    platforms.map((platform) => `${python}-${tag}-${platform}`);
  return [
    ...on(own, abi),
    ...stable.flatMap((tag) => on(own, tag)),
    ...on(own, "none"),
    ...(stable.length === 0 ? [] : descending(minor - 1, 2)).flatMap((below) =>
      stable
        .filter((tag) => tag === "abi3" || below >= 15)
        .flatMap((tag) => on(`cp${major}${below}`, tag)),
    ),
  ];
}

/** PEP 384: abi3, for builds with a GIL from 3.2 on; PEP 803: abi3t from 3.15 on, for both kinds of build. */
function stableAbi(major: number, minor: number, freeThreaded: boolean): readonly string[] {
  if (major !== 3 || minor < 2) return [];
  return [...(freeThreaded ? [] : ["abi3"]), ...(minor >= 15 ? ["abi3t"] : [])];
}

function pypyTags(
  major: number,
  minor: number,
  target: TagTarget,
  platforms: readonly string[],
): readonly string[] {
  const own = `pp${major}${minor}`;
  const abi = target.pypyAbi ?? `pypy${major}${minor}_pp73`;
  return [abi, "none"].flatMap((tag) => platforms.map((platform) => `${own}-${tag}-${platform}`));
}

// PEP 600: the names that came before, and the glibc each stands for.
const LEGACY_MANYLINUX: Readonly<Record<number, string>> = {
  17: "manylinux2014",
  12: "manylinux2010",
  5: "manylinux1",
};

function linuxPlatforms([major, minor]: readonly [number, number]): readonly string[] {
  const manylinux = descending(minor, 5).flatMap((below) => {
    const legacy = LEGACY_MANYLINUX[below];
    return [
      `manylinux_${major}_${below}_x86_64`,
      ...(legacy === undefined ? [] : [`${legacy}_x86_64`]),
    ];
  });
  return [...manylinux, "linux_x86_64"];
}

function descending(from: number, to: number): readonly number[] {
  return from < to ? [] : Array.from({ length: from - to + 1 }, (_, index) => from - index);
}

/** As `compatibleTags` of an interpreter of a guest: Debian 13's glibc, 2.41. */
export function tagsOf(
  interpreter: Pick<TagTarget, "implementation" | "version">,
): readonly string[] {
  return compatibleTags({
    implementation: interpreter.implementation,
    version: interpreter.version,
    glibc: [2, 41],
  });
}

const tagSets = new Map<string, ReadonlySet<string>>();

/** There are more than a thousand of them, and a release can have a hundred wheels. */
function tagSetOf(interpreter: Pick<TagTarget, "implementation" | "version">): ReadonlySet<string> {
  const key = `${interpreter.implementation} ${interpreter.version}`;
  const known = tagSets.get(key) ?? new Set(tagsOf(interpreter));
  tagSets.set(key, known);
  return known;
}

/** Would pip install this wheel for that interpreter, by its file name's tags? False for a name that is no wheel's. */
export function compatibleWheel(
  filename: string,
  interpreter: Pick<TagTarget, "implementation" | "version">,
): boolean {
  const wheel = parseWheelFilename(filename);
  if (wheel === null) return false;
  const fitting = tagSetOf(interpreter);
  return wheel.tags.some((tag) => fitting.has(tag));
}
