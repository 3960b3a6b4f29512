import type { InstalledListing } from "../discovery/plan.ts";
import { GUEST } from "./guest-environment.ts";
import type { GuestSession } from "./guest-session.ts";

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
 * Puts copies of the installed packages in the place of the tree's own, so that what is imported is what was
 * installed whatever the working directory, and suites that read their source by path still work.
 */
export async function unshadow(
  session: GuestSession,
  root: string,
  installed: InstalledListing,
  pairs: readonly Replacement[],
): Promise<void> {
  const script = [
    "set -e",
    'root=$1 site=$2; shift 2; cd "$root"',
    // Metadata of an uninstalled project on the path would answer importlib.metadata before the installed one.
    "rm -rf -- ./*.egg-info ./*.dist-info",
    'while [ $# -gt 1 ]; do rm -rf -- "./$1"; mkdir -p -- "$(dirname -- "./$1")"; cp -a -- "$site/$2" "./$1"; shift 2; done',
  ].join("\n");
  await session.run({
    step: "unshadow",
    phase: "discover",
    argv: [
      "sh",
      "-c",
      script,
      "sh",
      root,
      installed.sitePackages,
      ...pairs.flatMap(({ tree, site }) => [tree, site]),
    ],
    wallMs: 60_000,
    quiet: true,
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
 * Lays the installed files over the tree's own: for packages whose directory in the tree also holds what was not
 * installed, as their tests.
 */
export async function overlay(
  session: GuestSession,
  root: string,
  installed: InstalledListing,
  pairs: readonly Replacement[],
): Promise<void> {
  const script =
    'root=$1 site=$2; shift 2; cd "$root"; while [ $# -gt 1 ]; do cp -a -T -- "$site/$2" "./$1"; shift 2; done';
  await session.run({
    step: "unshadow",
    phase: "discover",
    argv: [
      "sh",
      "-c",
      script,
      "sh",
      root,
      installed.sitePackages,
      ...pairs.flatMap(({ tree, site }) => [tree, site]),
    ],
    wallMs: 60_000,
    quiet: true,
  });
}

/** Names and versions of what is installed, from the names of the metadata directories (PEP 627); sorted. */
export async function listInstalled(session: GuestSession, site: string): Promise<string[]> {
  const listed = await session.run({
    step: "list",
    phase: "test",
    argv: ["ls", "-1", "--", site],
    cwd: GUEST.home,
    wallMs: 30_000,
    quiet: true,
  });
  return installedFromNames(listed.text);
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
