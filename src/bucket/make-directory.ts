import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * A directory with those above it; one that is there is no fault. Step by step: what mkdir's own recursion makes of `/proc`
 * never ends, and it fails where another process removes an empty directory meanwhile.
 */
export async function makeDirectory(path: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await mkdir(path);
      return;
    } catch (thrown) {
      const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
      if (code === "EEXIST") return;
      if (code !== "ENOENT" || tries === 3 || dirname(path) === path) throw thrown;
    }
    await makeDirectory(dirname(path));
  }
}
