import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { askRepository, type BareRepository } from "./bare-repository.ts";

/**
 * Sees that a tree is whole as git has it: what Git LFS keeps elsewhere is there as a pointer alone, which no test can do
 * anything with, and is not fetched.
 * @throws CreameryError `needs-lfs` that names such a file.
 */
export async function assertNoLfs(
  repository: BareRepository,
  commit: string,
  signal: AbortSignal,
): Promise<void> {
  const grep = async (argv: readonly string[]): Promise<readonly string[]> => {
    const said = await askRepository(repository, ["grep", "-l", "-z", "-a", ...argv], {
      signal,
      noneIsOne: true,
    });
    return said.split("\0").filter((path) => path !== "");
  };
  const attributes = [":(glob)**/.gitattributes"];
  const marks = await grep(["-E", "filter=lfs( |$)", commit, "--", ...attributes]);
  if (marks.length === 0) return;
  const pointer = ["-e", "^version https://git-lfs", "-e", "^oid sha256:[0-9a-f]{64}$"];
  const pointers = await grep(["-E", "--all-match", ...pointer, commit]);
  const [first = "", ...more] = pointers.map((path) => path.slice(commit.length + 1));
  if (pointers.length === 0) return;
  const others = more.length === 0 ? "" : ` and ${more.length} more`;
  throw new CreameryError(
    "needs-lfs",
    `keeps ${clip(printableLine(first), 200)}${others} by Git LFS, which is not fetched`,
    { input: repository.url },
  );
}
