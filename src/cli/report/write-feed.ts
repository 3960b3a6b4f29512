import { atomFeed } from "../../pages/changes/atom-feed.ts";
import { SHOWN_KINDS } from "../../pages/changes/changes-query.ts";
import type { Place } from "../../pages/shell/place.ts";
import type { Database } from "../../store/database.ts";
import { newestChanges } from "../../store/sql/verdict-changes.ts";
import type { PageWriter } from "./page-writer.ts";

const MOST_ENTRIES = 50;

/**
 * A feed of changes of verdict, where it is known where the report will lie: what is read elsewhere needs whole addresses.
 * @param project null for all of them.
 */
export async function writeFeed(
  writer: PageWriter,
  database: Database,
  project: string | null,
): Promise<void> {
  const [self, page]: readonly [Place, Place] =
    project === null
      ? [{ kind: "changes-feed" }, { kind: "changes" }]
      : [
          { kind: "feed", project },
          { kind: "project", project },
        ];
  if (!writer.hasAddress) return;
  const { changes } = await newestChanges(database, {
    within: writer.plan.within,
    ...(project === null ? {} : { project }),
    kinds: SHOWN_KINDS.both,
    limit: MOST_ENTRIES,
  });
  writer.contents.add(self);
  const title = project === null ? "Changes of verdict" : `${project}: changes of verdict`;
  const feed = atomFeed({ title, self, page, changes }, writer.contextOf(self).site);
  if (feed !== null) await writer.file(self, feed);
}
