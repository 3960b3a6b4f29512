import { createHash } from "node:crypto";

/** What happens on an index of ours: a journal with serials, and each project's page as it was after each entry. */

export interface JournalRow {
  readonly project: string;
  readonly version: string | null;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly action: string;
  readonly serial: number;
  /** Not visible yet, though later ones are: its transaction has not ended. */
  hidden: boolean;
}

export interface HistoryFile {
  readonly filename: string;
  readonly version: string;
  readonly sha256: string;
  readonly uploadTime: string;
  readonly yanked: string | null;
}

export interface PageState {
  readonly serial: number;
  /** Null where there is no such project. */
  readonly files: readonly HistoryFile[] | null;
  readonly status: "active" | "quarantined";
}

export interface HistoryOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** How many serials are left out before the next. */
  readonly gap?: () => number;
  readonly firstSerial?: number;
}

const NONE: PageState = { serial: 0, files: null, status: "active" };

export class ChangeHistory {
  readonly journal: JournalRow[] = [];
  readonly #pages = new Map<string, PageState[]>();
  readonly #options: HistoryOptions;
  #serial: number;
  #hide = false;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#serial = options.firstSerial ?? 1000;
  }

  get lastSerial(): number {
    return this.journal.findLast(({ hidden }) => !hidden)?.serial ?? this.#serial;
  }

  /** A project's page as it was when the journal had this serial; as it is now by default. */
  page(project: string, serial = Infinity): PageState {
    return this.#pages.get(project)?.findLast((state) => state.serial <= serial) ?? NONE;
  }

  /** What is done inside is written to the journal but not visible there, until `reveal`. */
  hiding(work: () => void): void {
    this.#hide = true;
    work();
    this.#hide = false;
  }

  reveal(): void {
    for (const row of this.journal) row.hidden = false;
  }

  release(
    project: string,
    version: string,
    filenames: readonly string[] = [sdist(project, version)],
  ): void {
    this.#row(project, version, "new release");
    for (const filename of filenames) this.addFile(project, version, filename);
  }

  addFile(project: string, version: string, filename: string, content = filename): void {
    const kind = filename.endsWith(".whl") ? "py3" : "source";
    this.#row(project, version, `add ${kind} file ${filename}`);
    const file: HistoryFile = {
      filename,
      version,
      sha256: createHash("sha256").update(content).digest("hex"),
      uploadTime: new Date(this.#options.now()).toISOString(),
      yanked: null,
    };
    const files = (this.page(project).files ?? []).filter((old) => old.filename !== filename);
    this.#show(project, [...files, file]);
  }

  yank(project: string, version: string, reason = ""): void {
    this.#row(project, version, "yank release");
    this.#each(project, (file) => (file.version === version ? { ...file, yanked: reason } : file));
  }

  unyank(project: string, version: string): void {
    this.#row(project, version, "unyank release");
    this.#each(project, (file) => (file.version === version ? { ...file, yanked: null } : file));
  }

  removeRelease(project: string, version: string): void {
    this.#row(project, version, "remove release");
    this.#show(
      project,
      (this.page(project).files ?? []).filter((file) => file.version !== version),
    );
  }

  removeProject(project: string): void {
    this.#row(project, null, "remove project");
    this.#show(project, null);
  }

  quarantine(project: string): void {
    this.#row(project, null, "project quarantined");
    this.#show(project, this.page(project).files, "quarantined");
  }

  unquarantine(project: string): void {
    this.#row(project, null, "project quarantine cleared");
    this.#show(project, this.page(project).files, "active");
  }

  /** What nobody acts on. */
  other(project: string, action = "add Owner somebody"): void {
    this.#row(project, null, action);
    this.#show(project, this.page(project).files);
  }

  #row(project: string, version: string | null, action: string): void {
    this.#serial += 1 + (this.#options.gap?.() ?? 0);
    const timestamp = Math.floor(this.#options.now() / 1000);
    this.journal.push({
      project,
      version,
      timestamp,
      action,
      serial: this.#serial,
      hidden: this.#hide,
    });
  }

  #each(project: string, change: (file: HistoryFile) => HistoryFile): void {
    this.#show(project, this.page(project).files?.map(change) ?? null);
  }

  #show(
    project: string,
    files: readonly HistoryFile[] | null,
    status = this.page(project).status,
  ): void {
    const states = this.#pages.get(project) ?? [];
    states.push({ serial: this.#serial, files, status });
    this.#pages.set(project, states);
  }
}

export function sdist(project: string, version: string): string {
  return `${project.replaceAll("-", "_")}-${version}.tar.gz`;
}

export function wheel(project: string, version: string, tag = "py3-none-any"): string {
  return `${project.replaceAll("-", "_")}-${version}-${tag}.whl`;
}
