import { rm } from "node:fs/promises";

import { CreameryError } from "../../base/errors.ts";
import type { RecordedRepository } from "../record/attempt-record.ts";
import { missingOf } from "./bare-repository.ts";
import type { GitCatalogue } from "./git-catalogue.ts";
import type { GitMirrors, MirroredRepository } from "./git-mirrors.ts";
import { makeView } from "./repository-view.ts";

/** What an attempt was given, out of what is kept: the same references, no commit besides, and no upstream is asked. */
export function replayedCatalogue(
  recorded: readonly RecordedRepository[],
  mirrors: GitMirrors,
): GitCatalogue {
  const known = new Map(recorded.map((row) => [row.url, row]));
  const views = new Map<string, Promise<string>>();
  const keptOf = async (url: string): Promise<MirroredRepository> => {
    const kept = await mirrors.kept(url);
    if (kept === null) throw gone(url);
    return kept;
  };
  const viewOf = async (row: RecordedRepository, signal: AbortSignal): Promise<string> => {
    const kept = await keptOf(row.url);
    return await makeView(mirrors.newPath(), kept, row, signal);
  };
  return {
    repository: async (url, signal) => {
      const row = known.get(url);
      if (row === undefined)
        return {
          kind: "refused",
          status: 404,
          why: "the attempt that is replayed had no such repository",
        };
      let view = views.get(url);
      if (view === undefined) {
        view = viewOf(row, signal);
        views.set(url, view);
        view.catch(() => views.delete(url));
      }
      return { kind: "offered", url, path: await view, stale: null };
    },
    bring: async (url, hashes, signal) => {
      const given = new Set(known.get(url)?.commits);
      const other = hashes.find((hash) => !given.has(hash));
      if (other !== undefined)
        return {
          kind: "refused",
          status: 404,
          why: `the attempt that is replayed was not given ${other}`,
        };
      if ((await missingOf(await keptOf(url), hashes, signal)).length > 0) throw gone(url);
      return null;
    },
    [Symbol.asyncDispose]: async () => {
      const made = await Promise.allSettled(views.values());
      for (const one of made)
        if (one.status === "fulfilled") await rm(one.value, { recursive: true, force: true });
    },
  };
}

function gone(url: string): CreameryError {
  return new CreameryError("upstream", "is kept no more, and a replay asks no upstream", {
    input: url,
    nextStep: "run the attempt anew with `./creamery test`",
  });
}
