import type { InstalledListing, TreeListing } from "../discovery/plan.ts";
import type { Guest } from "../machine/machine.ts";
import { GUEST } from "./guest-environment.ts";
import { quote } from "./together.ts";

/** Written at the end of each installation. */
export const INSTALLED_NAMES = "/job/.names";
const MAX_NAMES_BYTES = 4 * 1024 * 1024;

/** A path of the tree and the installed one, relative to site-packages, that takes its place. */
export interface Replacement {
  readonly tree: string;
  readonly site: string;
}

/**
 * What of the tree is replaced by what. A tree path is the same in site-packages, but for a first part `src/`,
 * `lib/` or `python/` where no such path is installed (docs/discovery.md).
 */
export function replacements(
  paths: Iterable<string>,
  installed: Pick<InstalledListing, "files">,
): Replacement[] {
  const present = (path: string) =>
    installed.files.some((file) => file.path === path || file.path.startsWith(`${path}/`));
  return [...new Set(paths)]
    .filter((path) => !path.split("/").includes("..") && !path.startsWith("/") && path !== "")
    .map((tree) => {
      const site = present(tree) ? tree : tree.replace(/^(?:src|lib|python)\//u, "");
      return { tree, site };
    })
    .filter(({ site }) => present(site));
}

/**
 * A shell script that puts copies of the installed packages in the place of the tree's own, so that what is imported is
 * what was installed whatever the working directory, and suites that read their own source by path still work.
 */
export function unshadowScript(
  root: string,
  site: string,
  pairs: readonly Replacement[],
  strays: readonly string[],
): string {
  return [
    ...begin(root),
    ...strays.map(remove),
    // Metadata of an uninstalled project on the path would answer importlib.metadata before the installed one.
    "rm -rf -- ./*.egg-info ./*.dist-info",
    ...pairs.flatMap(({ tree, site: from }) => {
      const to = quote(`./${tree}`);
      return [
        `rm -rf -- ${to}`,
        `mkdir -p -- "$(dirname -- ${to})"`,
        `cp -a -- ${quote(`${site}/${from}`)} ${to}`,
      ];
    }),
  ].join("\n");
}

/** What follows is all done, or the script fails. */
const begin = (root: string): readonly string[] => ["set -e", `cd ${quote(root)}`];

const remove = (path: string): string => `rm -f -- ${quote(`./${path}`)}`;

const CODE = /\.(?:py|pyx|so|pyd)$/u;
const TESTS = /^(?:_?tests?|testing|unittests?|.*_tests?)$/iu;
const TEST_MODULE = /^(?:test.*|.*_tests?|conftest)\.py$/iu;

/**
 * Modules of the release's own packages that are in the tree and were not installed: forgotten by its packaging, so
 * nobody who installs it has them, and its tests must not find them either. Tests, and what lies in their directories,
 * stay.
 * @param replaced tree paths that give way, or parts of the packages that do.
 */
export function strayModules(
  tree: Pick<TreeListing, "files">,
  replaced: readonly string[],
  installed: Pick<InstalledListing, "files" | "topLevel">,
): string[] {
  const present = new Set(installed.files.map(({ path }) => path));
  const tops = new Set(
    replaced.flatMap((path) => {
      const [, prefix = "", top = ""] = /^((?:src|lib|python)\/)?([^/]+)/u.exec(path) ?? [];
      return installed.topLevel.includes(top) ? [`${prefix}${top}/`] : [];
    }),
  );
  return [...tops].flatMap((top) => {
    const prefix = top.replace(/[^/]+\/$/u, "");
    const own = tree.files.map(({ path }) => path).filter((path) => path.startsWith(top));
    const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);
    // Tests beside the modules: nothing tells helpers of theirs from the release's own.
    const mixed = own.some(
      (path) =>
        !path.slice(top.length).includes("/") &&
        TEST_MODULE.test(nameOf(path)) &&
        !present.has(path.slice(prefix.length)),
    );
    if (mixed) return [];
    return own.filter((path) => {
      const inner = path.slice(prefix.length);
      const directories = inner.split("/").slice(1, -1);
      return (
        CODE.test(path) &&
        !present.has(inner) &&
        !directories.some((part) => TESTS.test(part)) &&
        !TEST_MODULE.test(nameOf(path))
      );
    });
  });
}

/**
 * Where a run imported the release's own modules from the tree, though what is there was not replaced by what was
 * installed: tree paths of their packages or modules.
 */
export function shadowsSeen(
  imported: Readonly<Record<string, readonly string[]>>,
  root: string,
  replaced: ReadonlySet<string>,
): string[] {
  const paths = new Set<string>();
  for (const [name, files] of Object.entries(imported)) {
    for (const file of files) {
      if (!file.startsWith(`${root}/`) || /\/site-packages\//u.test(file)) continue;
      const relative = file.slice(root.length + 1);
      const parts = relative.split("/");
      const at = parts.indexOf(name);
      // `src/pkg/__init__.py` is the package `src/pkg`; `src/mod.py` is itself.
      const unit = at < 0 ? relative : parts.slice(0, at + 1).join("/");
      const done = [...replaced].some(
        (path) => relative === path || relative.startsWith(`${path}/`) || unit === path,
      );
      if (!done) paths.add(unit);
    }
  }
  return [...paths];
}

/**
 * A shell script that lays the installed files over the tree's own: for packages whose directory in the tree also
 * holds what was not installed, as their tests.
 */
export function overlayScript(
  root: string,
  site: string,
  pairs: readonly Replacement[],
  strays: readonly string[],
): string {
  return [
    ...begin(root),
    ...strays.map(remove),
    ...pairs.map(
      ({ tree, site: from }) => `cp -a -T -- ${quote(`${site}/${from}`)} ${quote(`./${tree}`)}`,
    ),
  ].join("\n");
}

/** A shell script that notes what is installed now, for `readInstalledNames`. */
export function noteNamesScript(): string {
  return `ls -1 ${GUEST.venv}/lib/*/site-packages >${INSTALLED_NAMES}`;
}

/** Names and versions of what was installed when it was last noted, from the names of metadata directories (PEP 627). */
export async function readInstalledNames(guest: Pick<Guest, "get">): Promise<string[]> {
  const bytes = await guest.get(INSTALLED_NAMES, MAX_NAMES_BYTES);
  return bytes === null ? [] : installedFromNames(bytes.toString("utf8"));
}

/** `name==version` of each line that names a metadata directory: `attrs-25.3.0.dist-info`. */
export function installedFromNames(text: string): string[] {
  return text
    .split("\n")
    .flatMap((line) => {
      const found = /^([A-Za-z0-9][\w.]*)-([\w.!+]+?)(?:-py\d[\w.]*)?\.(?:dist|egg)-info$/u.exec(
        line.trim(),
      );
      return found === null ? [] : [`${found[1] ?? ""}==${found[2] ?? ""}`];
    })
    .toSorted();
}
