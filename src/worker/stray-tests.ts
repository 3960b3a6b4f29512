import { parentDirectories } from "../base/parent-directories.ts";
import type { TreeListing } from "../discovery/plan.ts";
import type { TestReport } from "../model/attempt.ts";

/** What tests are called as a package: no distribution's module. */
const TESTS = /^_?tests?$/u;
/** How many errors are read: more say no more of a source that is not whole. */
const MAX_READ = 200;

export interface StrayContext {
  readonly tree: Pick<TreeListing, "files" | "truncated">;
  /** Absolute, in the guest. */
  readonly treeRoot: string;
  /** Top-level modules of the release under test. */
  readonly topLevel: readonly string[];
}

/** A module of tests that came into the source without another that it imports from beside it. Both are paths in the tree. */
export interface StrayTest {
  readonly path: string;
  /** Without an ending. */
  readonly lacks: string;
}

/** Which of the modules that were not collected are strays; the others have another error. */
export function strayTests(
  { collectionErrors }: Pick<TestReport, "collectionErrors">,
  context: StrayContext,
): readonly StrayTest[] {
  // What is not listed may be there.
  if (context.tree.truncated || collectionErrors.length === 0) return [];
  const tree = new Tree(context);
  return collectionErrors.slice(0, MAX_READ).flatMap(({ message }) => tree.strayOf(message) ?? []);
}

class Tree {
  readonly #root: string;
  readonly #topLevel: ReadonlySet<string>;
  readonly #files: ReadonlySet<string>;
  readonly #directories: ReadonlySet<string>;

  constructor({ tree, treeRoot, topLevel }: StrayContext) {
    this.#root = treeRoot;
    this.#topLevel = new Set(topLevel);
    this.#files = new Set(tree.files.map(({ path }) => path));
    this.#directories = parentDirectories(this.#files);
  }

  strayOf(message: string): StrayTest | null {
    const [, told = ""] =
      /while importing test module '([^'\n]{1,500})'|\n {2}File "([^"\n]{1,500})", line \d+, in <module>/u
        .exec(message)
        ?.filter((group) => group !== undefined) ?? [];
    const path = this.#inTree(told);
    const lacks = path === null ? null : this.#lackingOf(message, path);
    return path === null || lacks === null ? null : { path, lacks };
  }

  /** The module that an error's import did not find; null where that is none that would lie beside the tests. */
  #lackingOf(message: string, path: string): string | null {
    const last = message.trimEnd().split("\n").at(-1) ?? "";
    if (/attempted relative import (?:with no known parent package|in non-package)/u.test(last))
      return this.#ofRelativeImport(message);
    const absent = /No module named '?([\w.]{1,200})/u.exec(last)?.[1]?.split(".");
    return absent === undefined ? null : this.#ofAbsoluteImport(absent, path);
  }

  /** `from .base import x` in a file of the tree, below which there is no `base`. */
  #ofRelativeImport(message: string): string | null {
    const from =
      /(?:^|\n)(?: {2}File "([^"\n]{1,500})", line \d+, in <module>|([^\s:][^:\n]{0,500}):\d+: in <module>)\n\s+from (\.{1,9})([\w.]{0,200}) import (\w{1,200})[^\n]*\n[^]{0,400}$/u.exec(
        message.slice(-2000),
      );
    if (from === null) return null;
    const [, framed, listed, dots = "", dotted = "", name = ""] = from;
    const file = this.#inTree(framed ?? listed ?? "");
    if (file === null) return null;
    const above = file.split("/").slice(0, -dots.length);
    const target = [...above, ...(dotted === "" ? [name] : dotted.split("."))].join("/");
    return this.#has(target) ? null : target;
  }

  /** `import tests.base` in or below a directory of the tree that has a `tests`, and no `base` in that. */
  #ofAbsoluteImport(dotted: readonly string[], path: string): string | null {
    const [top = ""] = dotted;
    // By any other name it may be a distribution that has changed.
    if (dotted.length < 2 || this.#topLevel.has(top) || !TESTS.test(top)) return null;
    const inner = path.split("/").slice(0, -1);
    const parent = dotted.slice(0, -1);
    const beside = [...inner.keys(), inner.length]
      .map((depth) => [...inner.slice(0, depth), ...parent].join("/"))
      .find((directory) => this.#directories.has(directory));
    if (beside === undefined) return null;
    const target = `${beside}/${dotted.at(-1)}`;
    return this.#has(target) ? null : target;
  }

  #inTree(path: string): string | null {
    const within = path.startsWith(`${this.#root}/`) ? path.slice(this.#root.length + 1) : path;
    return this.#files.has(within) ? within : null;
  }

  /** A module or a package, of whatever kind. */
  #has(module: string): boolean {
    if (this.#directories.has(module)) return true;
    return ["py", "pyi", "pyx", "so", "pyd"].some((end) => this.#files.has(`${module}.${end}`));
  }
}
