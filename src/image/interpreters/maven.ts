import { z } from "zod";

import { copyFromMaven } from "./maven-client.ts";
import { fromPinnedArchive } from "./pinned-archive.ts";
import { DirectoryInArchive, OptionalEntry, Sha256, type SourcedInterpreter } from "./types.ts";

/** An interpreter in a jar, from the repository that the host's own Maven is configured for. */
export const MavenEntry = OptionalEntry.extend({
  source: z.literal("maven"),
  artifact: z
    .string()
    .regex(
      /^[\w.-]+:[\w.-]+:[\w.-]+:[\w.-]+$/u,
      "must be group:artifact:version:classifier, like org.example:cpython:3.12.1:linux-x86_64",
    ),
  /** Of the jar. */
  sha256: Sha256,
  /** In the jar, the directory that has `bin` and `lib`. */
  tree: DirectoryInArchive,
});
export type MavenEntry = z.infer<typeof MavenEntry>;

export function fromMaven(entry: MavenEntry): SourcedInterpreter {
  const { source, artifact } = entry;
  return fromPinnedArchive(entry, {
    source,
    what: artifact,
    fetch: (path, context) => copyFromMaven(artifact, path, context),
  });
}
