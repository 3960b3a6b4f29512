import { parse } from "smol-toml";
import { z } from "zod";

import { dependenciesOf, type Dependency } from "../python/depends-on.ts";
import type { AttemptJob } from "./attempt-job.ts";
import type { AttemptFacts } from "./run-attempt.ts";

const BuildSystem = z.object({
  "build-system": z.object({ requires: z.array(z.string().max(4096)).max(500) }),
});

/**
 * Whom a release depends on, as the metadata of what was installed and its pyproject.toml say: a release's own word, which moves nobody's
 * but its own. Null where nothing was installed, where it is no release, and where an experiment changed what is installed.
 */
export function declaredDependencies(
  { source, overlay }: Pick<AttemptJob, "source" | "overlay">,
  { installed, tree }: Pick<AttemptFacts, "installed" | "tree">,
): readonly Dependency[] | null {
  if (source.kind !== "release" || overlay !== undefined || installed === null) return null;
  return dependenciesOf(installed.metadata, buildRequires(tree?.texts["pyproject.toml"]));
}

function buildRequires(pyproject: string | undefined): readonly string[] {
  if (pyproject === undefined) return [];
  try {
    return BuildSystem.safeParse(parse(pyproject)).data?.["build-system"].requires ?? [];
  } catch {
    return [];
  }
}
