import type { PageHistory } from "../past/page-history.ts";
import type { KeptPage } from "./kept-pages.ts";
import type { ProjectPage } from "./project-page.ts";

/** What is known of a project's page since it was asked for, parsed. */
export interface PageEntry {
  readonly kept: KeptPage;
  /** Null: upstream has no such project. */
  readonly page: ProjectPage | null;
  readonly checkedAtMs: number;
  readonly freshMs: number;
  /** What was seen to change in it. */
  readonly history?: PageHistory | undefined;
  /** Of a farm that has the project no more: the index that had it. */
  readonly goneFrom?: string | undefined;
}

const MAX_HELD = 500;

/** Parsed pages are large: who asks for all of the largest must not fill our memory with them. What upstream was asked for longest ago goes. */
export class HeldEntries {
  readonly #entries = new Map<string, PageEntry>();
  readonly #maxRows: number;
  #rows = 0;

  /** @param maxRows files and changes of all that are held. */
  constructor(maxRows: number) {
    this.#maxRows = maxRows;
  }

  get(name: string): PageEntry | undefined {
    return this.#entries.get(name);
  }

  /** As the newest. */
  hold(name: string, entry: PageEntry): void {
    this.#forget(name);
    this.#entries.set(name, entry);
    this.#rows += rowsOf(entry);
    for (const oldest of this.#entries.keys()) {
      const isFew = this.#entries.size <= MAX_HELD && this.#rows <= this.#maxRows;
      if (isFew || this.#entries.size === 1) break;
      this.#forget(oldest);
    }
  }

  #forget(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.delete(name);
    this.#rows -= rowsOf(entry);
  }
}

function rowsOf({ page, history }: PageEntry): number {
  return 1 + (page?.files.length ?? 0) + (history?.changes.length ?? 0);
}
