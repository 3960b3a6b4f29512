import { installTree, treePaths } from "./interpreter-tree.ts";
import type { BringContext, SourcedInterpreter } from "./types.ts";

/** An entry whose interpreter is a tree in one archive of a pinned hash. */
interface PinnedEntry {
  readonly name: string;
  readonly sha256: string;
  /** In the archive, the directory that has `bin` and `lib`. */
  readonly tree: string;
}

export interface PinnedSource {
  /** As image.toml calls this kind of source. */
  readonly source: string;
  /** Of the archive, as a person knows it. */
  readonly what: string;
  /** Puts the archive at a path that is not there yet. */
  readonly fetch: (path: string, context: BringContext) => Promise<void>;
}

/** An interpreter in an archive, wherever that comes from. */
export function fromPinnedArchive(
  { name, sha256, tree }: PinnedEntry,
  { source, what, fetch }: PinnedSource,
): SourcedInterpreter {
  return {
    ...treePaths(name),
    origin: `${source} ${what}`,
    packages: [],
    unpacked: [],
    bring: async (context) => {
      const archive = await context.files.pinned({
        interpreter: name,
        sha256,
        what,
        fetch: (path) => fetch(path, context),
      });
      await installTree({ name, archive, tree }, context);
    },
  };
}
