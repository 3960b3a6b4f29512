import { CreameryError } from "../../base/errors.ts";
import { clip, printableLine } from "../../base/bounded-text.ts";
import { withoutCredentials } from "../../index/upstream/secret.ts";
import { guessProject } from "../../worker/sources/guess-project.ts";
import { parseTarget } from "../../worker/sources/target.ts";

/** Something that can be tested by whoever takes the job, wherever: what a person types, but no path. */
export interface EnqueueTarget {
  readonly kind: "release" | "repository";
  /** Normalised; of a repository that is not configured a guess, until its metadata is built. */
  readonly project: string;
  /** As it goes into the queue: what was typed, without spaces around it. */
  readonly word: string;
  /** Where exactly one is named; else empty, and found when the job is begun. */
  readonly version: string;
  /** Of a repository: the branch, tag or commit that is named, or empty. */
  readonly line: string;
  /** Of a repository. */
  readonly url: string | null;
}

/**
 * @param projectOf the configured project of a repository, or null.
 * @throws CreameryError as `parseTarget`; `usage` for a path.
 */
export function enqueueTarget(
  text: string,
  projectOf: (repositoryUrl: string) => string | null,
): EnqueueTarget {
  const word = text.trim();
  const target = parseTarget(word);
  switch (target.kind) {
    case "path":
      throw new CreameryError("usage", "is a path, and the farm's workers see no files of yours", {
        input: clip(printableLine(withoutCredentials(word)), 100),
        nextStep: "test it with ./creamery test, or name a release or a git+https address",
      });
    case "git": {
      const name =
        new URL(target.url).pathname
          .replace(/\.git$/u, "")
          .split("/")
          .at(-1) ?? "";
      return {
        kind: "repository",
        project: projectOf(target.url) ?? guessProject(name),
        word,
        version: "",
        line: target.ref ?? "",
        url: target.url,
      };
    }
    case "release": {
      // Read back from the word, as it was typed: how a specifier is kept is not what an index calls it.
      const [, exact] = /^[^=<>!~]*==\s*([^\s,*;=<>!~]+)\s*$/u.exec(word) ?? [];
      const { project } = target;
      return { kind: "release", project, word, version: exact ?? "", line: "", url: null };
    }
  }
}
