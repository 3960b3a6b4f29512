import { filesSite } from "../../pages/files/files-site.ts";
import { fileOf } from "../../pages/files/file-of.ts";
import { documentOf } from "../../pages/shell/document.ts";
import { NOBODY, type Page, type PageContext } from "../../pages/shell/page.ts";
import type { Place } from "../../pages/shell/place.ts";
import type { ReportPlan } from "./plan-report.ts";
import { ReportContents, type FarmPage } from "./report-contents.ts";
import type { TreeSink } from "./user-tree-writer.ts";

export interface PageWriterOptions {
  readonly plan: ReportPlan;
  readonly sink: TreeSink;
  readonly farmPages: readonly FarmPage[];
  /** Where the files will lie, without a slash at its end; null where nobody said so. */
  readonly url: string | null;
}

/** Writes pages and files of a report, each to its place. */
export class PageWriter {
  readonly plan: ReportPlan;
  readonly contents: ReportContents;
  readonly #options: PageWriterOptions;

  constructor(options: PageWriterOptions) {
    this.#options = options;
    this.plan = options.plan;
    this.contents = new ReportContents(options.plan, options.farmPages);
  }

  /** Whether it is known where the report will lie. */
  get hasAddress(): boolean {
    return this.#options.url !== null;
  }

  /** What a page at a place is made for. */
  contextOf(from: Place): PageContext {
    return {
      site: filesSite({ from, has: this.contents.has, url: this.#options.url }),
      viewer: NOBODY,
      within: this.plan.within,
      nowMs: Number.NaN,
      here: null,
      told: null,
      writtenAt: this.plan.atMs,
    };
  }

  async page(place: Place, make: (context: PageContext) => Page): Promise<void> {
    const context = this.contextOf(place);
    await this.file(place, await documentOf(make(context), context));
  }

  /** It is linked to from here on. */
  async file(place: Place, content: string | Buffer | AsyncIterable<Buffer>): Promise<void> {
    const path = fileOf(place);
    if (path === null) throw new Error(`a report has no ${place.kind}`);
    await this.#options.sink.add(path, content);
    this.contents.add(place);
  }
}
