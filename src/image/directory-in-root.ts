import { lstat, mkdir } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError } from "../base/errors.ts";

/**
 * A directory of a root file system, for this host to write in; made where it is missing.
 * @param path in the root file system.
 * @returns its path on this host.
 * @throws CreameryError `image-build` where something on its way is no directory: a link would lead among the host's own files.
 */
export async function directoryInRoot(rootfs: string, path: string): Promise<string> {
  let directory = rootfs;
  for (const name of path.split("/").filter((part) => part !== "")) {
    directory = join(directory, name);
    await mkdir(directory, { mode: 0o755 }).catch(unlessThere);
    if (!(await lstat(directory)).isDirectory())
      throw new CreameryError("image-build", "is no directory in the new image, and has to be", {
        input: directory.slice(rootfs.length),
        nextStep:
          "find out what put something else there: a package, customize.sh or an interpreter",
      });
  }
  return directory;
}

function unlessThere(thrown: unknown): void {
  if (!(thrown instanceof Error && "code" in thrown && thrown.code === "EEXIST")) throw thrown;
}
