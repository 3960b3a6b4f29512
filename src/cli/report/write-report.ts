import type { Bucket } from "../../bucket/bucket.ts";
import { newVerdictOf } from "../../pages/home/verdict-list.ts";
import {
  projectListPage,
  reportPage,
  type ReportedProject,
} from "../../pages/files/report-page.ts";
import type { KeptLogs } from "../../pages/log/kept-logs.ts";
import { assets } from "../../pages/shell/assets.ts";
import type { Page, PageContext } from "../../pages/shell/page.ts";
import type { Database } from "../../store/database.ts";
import { newestVerdicts } from "../../store/sql/newest-verdicts.ts";
import { visibleResults } from "../../store/sql/report-queries.ts";
import { writeFarmPages } from "./write-farm-pages.ts";
import { FARM_PAGES } from "./report-contents.ts";
import { PageWriter, type PageWriterOptions } from "./page-writer.ts";
import { AttemptWriter } from "./write-attempt.ts";
import { writeProject } from "./write-project.ts";

/** What a report is made from: store and bucket alone. */
export interface ReportSources {
  readonly database: Database;
  readonly bucket: Pick<Bucket, "open">;
  readonly logs: KeptLogs;
  /** Of this host's images; null for pages of one run, which tell nothing of the farm. */
  readonly imagesDir: string | null;
}

export interface ReportOptions extends Omit<PageWriterOptions, "farmPages"> {
  readonly sources: ReportSources;
  /** In place of a farm's first page. */
  readonly front?: (context: PageContext) => Page;
  /** Is told what could not be read, a line each: the rest is written all the same. */
  readonly tell: (line: string) => void;
  /** Is told how many attempts are written. */
  readonly onAttempts: (count: number) => void;
  readonly signal: AbortSignal;
}

const NEWEST = 20;
/** So many attempts are read at a time. */
const AT_ONCE = 50;

/**
 * Writes all pages of a plan. The same store gives the same bytes.
 * @throws CreameryError `store`, `bucket`, and whatever the sink does.
 */
export async function writeReport(options: ReportOptions): Promise<void> {
  const { sources, plan, sink, front, signal } = options;
  const { imagesDir } = sources;
  const farmPages = FARM_PAGES.filter(
    (page) => imagesDir !== null && (page !== "about" || plan.isWholeFarm),
  );
  const writer = new PageWriter({ ...options, farmPages });
  for (const { path, content } of assets().values())
    if (!path.endsWith(".js")) await sink.add(path, content);
  const attempts = new AttemptWriter(writer, sources, options);
  const projects: ReportedProject[] = [];
  let written = 0;
  for (const project of plan.projects) {
    for (let at = 0; at < project.attempts.length; at += AT_ONCE) {
      const ids = project.attempts.slice(at, at + AT_ONCE).map(({ id }) => id);
      for (const stored of await visibleResults(sources.database, ids, plan.within)) {
        signal.throwIfAborted();
        await attempts.write(stored);
        options.onAttempts(++written);
      }
    }
    const reported = await writeProject(writer, sources.database, project);
    if (reported !== null) projects.push(reported);
  }
  await writer.page({ kind: "search" }, (context) => projectListPage(projects, context));
  if (imagesDir !== null) await writeFarmPages(writer, sources.database, imagesDir);
  const verdicts = await newestVerdicts(sources.database, { within: plan.within, limit: NEWEST });
  await writer.page(
    { kind: "home" },
    front ??
      ((context) =>
        reportPage({ attempts: written, projects, verdicts: verdicts.map(newVerdictOf) }, context)),
  );
}
