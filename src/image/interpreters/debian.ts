import { z } from "zod";

import { CommonEntry, Words, type SourcedInterpreter } from "./types.ts";

/** An interpreter out of Debian's own packages, of any of the definition's suites. */
export const DebianEntry = CommonEntry.extend({
  source: z.literal("debian"),
  builder: z.literal("debian", "Debian's packages are built by debian"),
  executable: z.string().regex(/^\/usr\/bin\/[a-z0-9.]+$/u, "must be a path below /usr/bin"),
  packages: Words.min(1),
  library: z.string().regex(/^\/usr\/lib\/[a-z0-9.]+$/u, "must be a path below /usr/lib"),
  /**
   * Packages that can't be installed beside newer ones (they conflict by name, not by file): fetched with their
   * signatures checked, and unpacked. `package/suite`.
   */
  unpacked: z
    .array(
      z
        .string()
        .regex(/^[a-z0-9][a-z0-9.+-]*\/[a-z]+$/u, "must be like python3-distutils/bullseye"),
    )
    .default([]),
  /** The packages come with all others, in one transaction: without one of them there is no image. */
  optional: z
    .literal(false, "one of Debian's packages can't be optional: all are installed together")
    .default(false),
});
export type DebianEntry = z.infer<typeof DebianEntry>;

export function fromDebian(entry: DebianEntry): SourcedInterpreter {
  const { executable, library, packages, unpacked } = entry;
  return {
    executable,
    library,
    origin: `debian ${packages.join(" ")}`,
    packages,
    unpacked,
    // It came with the root file system.
    bring: () => Promise.resolve(),
  };
}
