import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { withChanges, type Looks } from "./page-changes.ts";
import { PageHistory } from "./page-history.ts";
import type { ProjectPage } from "../page/project-page.ts";
import { replaceFile } from "../files/replace-file.ts";

/** Histories of one upstream's pages, a file for each project of which something was seen to change. */
export class HistoryStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @returns undefined for a project of which nothing was seen to change. */
  async read(project: string): Promise<PageHistory | undefined> {
    try {
      return PageHistory.parse(JSON.parse(await readFile(this.#path(project), "utf8")));
    } catch {
      // None, or one that an older or a newer mirror wrote: what is seen from now on is kept.
      return undefined;
    }
  }

  /**
   * Notes what changed between two looks.
   * @param known as it was read last. @param before, now null where there is none.
   * @returns the history with it.
   */
  async note(
    project: string,
    known: PageHistory | undefined,
    [before, now]: readonly [ProjectPage | null, ProjectPage | null],
    looks: Looks,
  ): Promise<PageHistory | undefined> {
    if (withChanges(known, before, now, looks) === known) return known;
    // Another process of this host may have looked in between.
    const there = await this.read(project);
    const history = withChanges(there, before, now, looks);
    if (history !== undefined && history !== there) await this.#write(project, history);
    return history;
  }

  /** A full disk is no reason not to answer. */
  async #write(project: string, history: PageHistory): Promise<void> {
    const path = this.#path(project);
    try {
      await mkdir(dirname(path), { recursive: true });
      await replaceFile(path, Buffer.from(JSON.stringify(history)));
    } catch {
      return;
    }
  }

  #path(project: string): string {
    return join(this.#directory, project.slice(0, 2), `${project}.json`);
  }
}
