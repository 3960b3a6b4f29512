import { parentDirectories } from "../base/parent-directories.ts";
import { parseCoreMetadata, type CoreMetadata } from "../python/core-metadata.ts";
import { parseIni, type IniFile } from "../python/ini.ts";
import { installedUnits } from "./installed-units.ts";
import type { DiscoveryContext, InstalledListing, TreeFile, TreeListing } from "./plan.ts";
import { isTestFile, primaryTests, withoutSupportModules } from "./test-files.ts";
import { parseToml, type Table } from "./toml-values.ts";

/** Everything the rungs read: the tree, what is installed, and the configuration files, each parsed once. */
export interface ProjectView {
  readonly tree: TreeListing;
  readonly installed: InstalledListing;
  readonly context: DiscoveryContext;
  readonly metadata: CoreMetadata;
  readonly pyproject: Table;
  /** Test files of the tree. */
  readonly tests: readonly TreeFile[];
  /** Test files among what is installed. */
  readonly installedTests: readonly TreeFile[];
  /** Packages and modules that the release installs, relative to site-packages: `lmdb`, `six.py`, `zope/interface`. */
  readonly units: readonly string[];
  /** Configuration files that can't be read, and why. */
  readonly unreadable: readonly string[];
  has(path: string): boolean;
  /** Is there a file below this directory? */
  hasDirectory(path: string): boolean;
  text(path: string): string | undefined;
  ini(path: string): IniFile;
  toml(path: string): Table;
}

export function viewProject(
  tree: TreeListing,
  installed: InstalledListing,
  context: DiscoveryContext,
): ProjectView {
  const paths = new Set(tree.files.map((file) => file.path));
  const directories = parentDirectories(paths);
  const units = installedUnits(installed);
  const unreadable: string[] = [];
  const text = (path: string): string | undefined =>
    Object.hasOwn(tree.texts, path) ? tree.texts[path] : undefined;
  const tomls = new Map<string, Table>();
  const inis = new Map<string, IniFile>();
  const toml = (path: string): Table => {
    const known = tomls.get(path);
    if (known !== undefined) return known;
    const parsed = parseToml(text(path) ?? "");
    if (parsed.kind === "bad") unreadable.push(`${path}: ${parsed.why}`);
    const table = parsed.kind === "ok" ? parsed.table : {};
    tomls.set(path, table);
    return table;
  };
  const ini = (path: string): IniFile => {
    const known = inis.get(path);
    if (known !== undefined) return known;
    const parsed = parseIni(text(path) ?? "");
    if (parsed.kind === "bad") unreadable.push(`${path}: ${parsed.why}`);
    const file: IniFile = parsed.kind === "ok" ? parsed.ini : new Map();
    inis.set(path, file);
    return file;
  };
  return {
    tree,
    installed,
    context,
    metadata: parseCoreMetadata(installed.metadata),
    pyproject: toml("pyproject.toml"),
    tests: withoutSupportModules(primaryTests(tree.files.filter(isTestFile)), units),
    installedTests: installed.files.filter(isTestFile),
    units,
    unreadable,
    has: (path) => paths.has(path),
    hasDirectory: (path) => path === "" || path === "." || directories.has(path),
    text,
    ini,
    toml,
  };
}
