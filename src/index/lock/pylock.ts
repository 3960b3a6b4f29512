import { parse } from "smol-toml";
import { z } from "zod";

import { CreameryError, reasonOf } from "../../base/errors.ts";
import { isName, normaliseName } from "../../python/names.ts";

/** Lock files as PEP 751 has them, as far as we read them: `write-locks.ts` writes an attempt's. */

export interface InstalledRelease {
  readonly name: string;
  readonly version: string;
}

const LockedFile = z.looseObject({
  /** Where it is left out, the address or path ends with it. */
  name: z.string().optional(),
  url: z.string().optional(),
  /** Beside the lock, of a file on no index. */
  path: z.string().optional(),
  size: z.number().optional(),
  "upload-time": z.unknown().optional(),
  hashes: z.record(z.string(), z.string()),
});
const LockedPackage = z.looseObject({
  name: z.string(),
  version: z.string().optional(),
  index: z.string().optional(),
  sdist: LockedFile.optional(),
  wheels: z.array(LockedFile).optional(),
});
/** What we read of a lock; other keys are passed over. */
export const Pylock = z.looseObject({
  "lock-version": z.string().regex(/^1\./u, "is a version that is not known here"),
  "created-by": z.string(),
  packages: z.array(LockedPackage),
});
export type Pylock = z.infer<typeof Pylock>;

/** `name==version` lines of `pip freeze` or `uv pip freeze`; others (editable, from a path) are left out. */
export function installedFromFreeze(lines: readonly string[]): InstalledRelease[] {
  return lines.flatMap((line) => {
    const [name = "", version = ""] = line.trim().split("==");
    return isName(name) && version !== "" ? [{ name: normaliseName(name), version }] : [];
  });
}

/** @throws CreameryError `configuration-file` for what is no lock. */
export function parsePylock(text: string, input = "pylock.toml"): Pylock {
  try {
    return Pylock.parse(parse(text));
  } catch (cause) {
    const why =
      cause instanceof z.ZodError
        ? z.prettifyError(cause).replaceAll("\n", " ")
        : reasonOf(cause).split("\n")[0];
    throw new CreameryError("configuration-file", `is no lock file: ${why}`, { input, cause });
  }
}
