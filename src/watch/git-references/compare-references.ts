import { z } from "zod";

import type { GitReferences } from "../../index/git/git-source.ts";
import type { WatchEvent } from "../event.ts";

const Commit = z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/u);

/** What is known of one repository's references. */
export const KnownReferences = z.strictObject({
  v: z.literal(1),
  /** Of its address and of what of it is watched. */
  repository: z.string(),
  /** By full name, the commits it pointed to, the newest last; the last is what it points to now. */
  references: z.record(z.string(), z.array(Commit).min(1)),
  /** References that point back to where they pointed before, and since when (ms): it may be an old copy that says so. */
  pending: z.record(z.string(), z.strictObject({ commit: Commit, since: z.number() })),
});
export type KnownReferences = z.infer<typeof KnownReferences>;

export interface WatchedReferences {
  readonly project: string;
  /** Names of branches; null for the default branch. */
  readonly branches: readonly string[] | null;
  readonly tags: boolean;
}

/** Of one reference. */
const MAX_COMMITS = 8;
/** Of one look: a mirror that pushes all at once is told piece by piece. */
const MAX_EVENTS = 200;

/**
 * What was pushed since. A reference that points to a commit that it never pointed to was pushed, by force or not. One that
 * points back was pushed by force, or an old copy answers: that counts when it is still so after `confirmMs`. What is gone
 * stays known: when it is there again, as it was, nothing was pushed.
 */
export function compareReferences(
  known: KnownReferences,
  shown: GitReferences,
  watched: WatchedReferences,
  { now, confirmMs }: { readonly now: number; readonly confirmMs: number },
): {
  readonly known: KnownReferences;
  readonly events: readonly WatchEvent[];
  readonly more: boolean;
} {
  const references = new Map(Object.entries(known.references));
  const pending: Record<string, { commit: string; since: number }> = {};
  const events: WatchEvent[] = [];
  for (const [ref, commit] of referencesOf(shown, watched)) {
    if (events.length >= MAX_EVENTS)
      return {
        known: { ...known, references: Object.fromEntries(references) },
        events,
        more: true,
      };
    const commits = references.get(ref) ?? [];
    if (commits.at(-1) === commit) continue;
    if (commits.includes(commit)) {
      const before = known.pending[ref];
      const since = before?.commit === commit ? before.since : now;
      if (now - since < confirmMs) {
        pending[ref] = { commit, since };
        continue;
      }
    }
    references.set(ref, [...commits.filter((old) => old !== commit), commit].slice(-MAX_COMMITS));
    events.push({ kind: "pushed", repository: watched.project, ref, commit, of: kindOf(ref) });
  }
  return {
    known: { ...known, references: Object.fromEntries(references), pending },
    events,
    more: false,
  };
}

/** The present as a beginning. */
export function firstReferences(
  repository: string,
  shown: GitReferences,
  watched: WatchedReferences,
): KnownReferences {
  const references: Record<string, string[]> = {};
  for (const [ref, commit] of referencesOf(shown, watched)) references[ref] = [commit];
  return { v: 1, repository, references, pending: {} };
}

function referencesOf(
  { references, defaultBranch }: GitReferences,
  { branches, tags }: WatchedReferences,
): readonly (readonly [ref: string, commit: string])[] {
  const wanted = new Set(
    branches === null
      ? defaultBranch === null
        ? []
        : [defaultBranch]
      : branches.map((branch) => `refs/heads/${branch}`),
  );
  return [...references].filter(
    ([ref]) => wanted.has(ref) || (tags && ref.startsWith("refs/tags/")),
  );
}

function kindOf(ref: string): "tag" | "branch" {
  return ref.startsWith("refs/tags/") ? "tag" : "branch";
}
