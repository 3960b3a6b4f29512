import { causeGroup, parseCause } from "../../model/result-words.ts";
import type { AttemptQuery, Store, StoredAttempt } from "../../store/store.ts";
import type { RetainedAttempt, RetentionFacts } from "./retention-facts.ts";

const PAGE = 500;

/** What a store knows of its attempts, a page at a time. @param imageFiles as of RetentionFacts. */
export function factsOfStore(
  store: Pick<Store, "attempt" | "attempts">,
  imageFiles: RetentionFacts["imageFiles"],
): RetentionFacts {
  const pages = async function* (
    query: Omit<AttemptQuery, "limit" | "olderThan">,
    signal: AbortSignal,
  ): AsyncGenerator<RetainedAttempt> {
    let olderThan: string | undefined;
    for (;;) {
      signal.throwIfAborted();
      const page = await store.attempts({
        ...query,
        limit: PAGE,
        ...(olderThan === undefined ? {} : { olderThan }),
      });
      for (const stored of page) yield retainedOf(stored);
      olderThan = page.at(-1)?.attempt.id;
      if (page.length < PAGE || olderThan === undefined) return;
    }
  };
  return {
    attempts: (signal) => pages({}, signal),
    attemptsOf: (project, configuration, signal) => pages({ project, configuration }, signal),
    attempt: async (id) => {
      const found = await store.attempt(id);
      // A beginning of an id finds one too.
      return found === null || found.attempt.id !== id ? null : retainedOf(found);
    },
    imageFiles,
  };
}

function retainedOf({ attempt, reason, startedAt }: StoredAttempt): RetainedAttempt {
  const cause = attempt.cause === null ? null : parseCause(attempt.cause);
  return {
    id: attempt.id,
    project: attempt.project,
    configuration: attempt.configuration,
    startedMs: Date.parse(startedAt),
    isCanary: reason === "canary",
    isComparable: reason !== "confirm" && (cause === null || causeGroup(cause.kind) !== "farm"),
    // No store says so yet.
    isNamedBaseline: false,
    sourceSha256: attempt.source.kind === "release" ? null : attempt.source.sha256,
  };
}
