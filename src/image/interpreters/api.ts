import { z } from "zod";

import { ArchiveEntry, fromArchive } from "./archive.ts";
import { DebianEntry, fromDebian } from "./debian.ts";
import { fromMaven, MavenEntry } from "./maven.ts";
import type { SourcedInterpreter } from "./types.ts";
import { fromUv, UvEntry } from "./uv.ts";

/** One `[[interpreters]]` of image.toml: its `source` says which keys it has. */
export const InterpreterEntry = z.discriminatedUnion(
  "source",
  [DebianEntry, ArchiveEntry, MavenEntry, UvEntry],
  { error: "must be debian, archive, maven or uv" },
);
export type InterpreterEntry = z.infer<typeof InterpreterEntry>;

/** An interpreter of a definition, bound to its source. Pure: nothing is asked of anybody. */
export function sourced(entry: InterpreterEntry): SourcedInterpreter {
  switch (entry.source) {
    case "debian":
      return fromDebian(entry);
    case "archive":
      return fromArchive(entry);
    case "maven":
      return fromMaven(entry);
    case "uv":
      return fromUv(entry);
  }
}
