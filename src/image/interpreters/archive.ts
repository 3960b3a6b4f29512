import { z } from "zod";

import { fetchFile } from "./fetch-file.ts";
import { fromPinnedArchive } from "./pinned-archive.ts";
import { DirectoryInArchive, OptionalEntry, Sha256, type SourcedInterpreter } from "./types.ts";

/** An interpreter in a zip or tar archive at an address. */
export const ArchiveEntry = OptionalEntry.extend({
  source: z.literal("archive"),
  /** What comes is what its sha256 says, so the way to it need not be trusted. */
  url: z
    .string()
    // A URL's parser takes spaces and line ends away: what is read here is what is asked for.
    .regex(/^[^\s\p{Cc}]*$/u, "must hold no spaces")
    .pipe(
      z
        .url({ protocol: /^https?$/u, error: "must be an http or https address" })
        .refine(
          (text) => isAnonymous(text),
          "must hold no credentials: an image's definition is no place for them",
        ),
    ),
  sha256: Sha256,
  /** In the archive, the directory that has `bin` and `lib`. */
  tree: DirectoryInArchive.default("."),
});
export type ArchiveEntry = z.infer<typeof ArchiveEntry>;

function isAnonymous(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && url.username === "" && url.password === "";
}

export function fromArchive(entry: ArchiveEntry): SourcedInterpreter {
  const { source, url } = entry;
  return fromPinnedArchive(entry, {
    source,
    what: url,
    fetch: (path, context) => fetchFile(url, path, context),
  });
}
