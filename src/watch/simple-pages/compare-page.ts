import type { ProjectPage } from "../../index/page/project-page.ts";
import { compareVersions, isPrerelease, parseVersion } from "../../python/versions.ts";
import { MAX_NAMED_FILES, yankReason, type WatchEvent } from "../event.ts";
import {
  firstUpload,
  packMore,
  packRelease,
  releasesOf,
  unseenFiles,
  withYank,
  yankOf,
  type PageFacts,
  type ShownRelease,
} from "./page-facts.ts";

/**
 * What a page says beyond what is known. Any edge may be stale, so what is seen may be older than what was seen. One rule
 * copes: what was never so is new, and counts at once; what goes back to what was so before may be a stale page, and
 * counts when a higher serial vouches for it, or when it is still so after `confirmMs`.
 */

export interface SeenPage {
  readonly page: ProjectPage;
  readonly etag: string | null;
  readonly modified: string | null;
  readonly serial: number | null;
}

export interface CompareOptions {
  readonly now: number;
  /** Longer than edges keep a page. */
  readonly confirmMs: number;
  /** A serial that stays lower for so long means that the index counts anew. */
  readonly resetMs: number;
}

export interface Compared {
  readonly facts: PageFacts;
  readonly events: readonly WatchEvent[];
  /** The page is older than one that was seen, by its serial: it was not read. */
  readonly behind: boolean;
  /** There is more than one look may report: to be looked at again at once. */
  readonly more: boolean;
}

/** Of one look: an index that changes more at once is reported piece by piece. */
const MAX_EVENTS = 500;
/** Those that were removed longest ago are forgotten first. */
const MAX_GONE = 500;
const MAX_PENDING = 2000;

/** The present as a beginning. */
export function firstFacts(facts: PageFacts, seen: SeenPage | null): PageFacts {
  if (seen === null) return { ...facts, project: "absent" };
  const releases: Record<string, string> = {};
  for (const [version, shown] of releasesOf(seen.page))
    releases[version] = packRelease(shown.yanked === null ? "." : "y", shown.files);
  return {
    ...facts,
    ...validators(seen),
    project: "here",
    quarantine: isQuarantined(seen.page) ? "q" : ".",
    releases,
  };
}

/** The newest release that is not yanked, pre-releases only where nothing else is there; null where there is none. */
export function newestRelease(page: ProjectPage): WatchEvent | null {
  const versions = [...releasesOf(page)].flatMap(([text, shown]) => {
    const version = parseVersion(text);
    return version === null || shown.yanked !== null ? [] : [{ text, version, shown }];
  });
  const final = versions.filter(({ version }) => !isPrerelease(version));
  const newest = (final.length > 0 ? final : versions)
    .toSorted((left, right) => compareVersions(left.version, right.version))
    .at(-1);
  return newest === undefined ? null : released(page.name, newest.text, newest.shown);
}

export function comparePage(facts: PageFacts, seen: SeenPage, options: CompareOptions): Compared {
  const older = facts.serial !== null && seen.serial !== null && seen.serial < facts.serial;
  if (older) {
    const behindSince = facts.behindSince ?? options.now;
    if (options.now - behindSince < options.resetMs)
      return { facts: { ...facts, behindSince }, events: [], behind: true, more: false };
  }
  const newer = facts.serial !== null && seen.serial !== null && seen.serial > facts.serial;
  const comparison = new Comparison(facts, seen.page, options, newer);
  const { events, more } = comparison.read();
  const settled: PageFacts = {
    ...facts,
    ...(more ? { etag: null, modified: null, digest: null } : validators(seen)),
    // What is left over is to be believed as much when it is read.
    serial: more ? facts.serial : (seen.serial ?? facts.serial),
    project: comparison.project,
    quarantine: comparison.quarantine,
    releases: Object.fromEntries(comparison.releases),
    gone: Object.fromEntries([...comparison.gone].slice(-MAX_GONE)),
    // What was not looked at yet goes on waiting.
    pending: { ...(more ? facts.pending : {}), ...Object.fromEntries(comparison.pending) },
    behindSince: null,
  };
  return { facts: settled, events, behind: false, more };
}

/** 404 or 410: a project that was here is removed when it is still so after `confirmMs`. */
export function compareAbsence(
  facts: PageFacts,
  name: string,
  { now, confirmMs }: CompareOptions,
): Pick<Compared, "facts" | "events"> {
  if (facts.project !== "here") return { facts: { ...facts, pending: {} }, events: [] };
  const since = facts.pending["-project"] ?? now;
  // Nothing that was seen of the page may answer for it now.
  const unread = { etag: null, modified: null, digest: null };
  if (now - since < confirmMs)
    return { facts: { ...facts, ...unread, pending: { "-project": since } }, events: [] };
  return {
    facts: { ...facts, ...unread, project: "removed", pending: {} },
    events: [{ kind: "project-removed", project: name }],
  };
}

/** Whether something waits to be confirmed that may be by now: then the page is needed whole, unchanged or not. */
export function mayConfirm(facts: PageFacts, { now, confirmMs }: CompareOptions): boolean {
  return Object.values(facts.pending).some((since) => now - since >= confirmMs);
}

function validators(seen: SeenPage): Pick<PageFacts, "etag" | "modified" | "digest" | "serial"> {
  return {
    etag: seen.etag,
    modified: seen.modified,
    digest: seen.page.contentSha256.slice(0, 16),
    serial: seen.serial,
  };
}

function isQuarantined(page: ProjectPage): boolean {
  return page.status === "quarantined";
}

function released(project: string, version: string, shown: ShownRelease): WatchEvent {
  return {
    kind: "released",
    project,
    version,
    uploadedAt: shown.uploadedAt,
    files: shown.files.slice(0, MAX_NAMED_FILES).map(({ filename }) => filename),
  };
}

class Comparison {
  readonly releases: Map<string, string>;
  readonly gone: Map<string, string>;
  readonly pending = new Map<string, number>();
  project: PageFacts["project"];
  quarantine: PageFacts["quarantine"];
  readonly #page: ProjectPage;
  readonly #options: CompareOptions;
  /** A higher serial than any page had: all that it says is newer. */
  readonly #newer: boolean;
  readonly #before: Readonly<Record<string, number>>;
  readonly #events: WatchEvent[] = [];

  constructor(facts: PageFacts, page: ProjectPage, options: CompareOptions, newer: boolean) {
    this.releases = new Map(Object.entries(facts.releases));
    this.gone = new Map(Object.entries(facts.gone));
    this.project = facts.project;
    this.quarantine = facts.quarantine;
    this.#page = page;
    this.#options = options;
    this.#newer = newer;
    this.#before = facts.pending;
  }

  read(): { readonly events: readonly WatchEvent[]; readonly more: boolean } {
    const shown = releasesOf(this.#page);
    if (this.project === "absent") this.project = "here";
    else if (this.project === "removed" && this.#confirmed("+project")) this.#reappear();
    this.#readQuarantine();
    // A quarantined project's page shows no file (PEP 792): nothing of it was removed.
    if (isQuarantined(this.#page)) return { events: this.#events, more: false };
    for (const [version, release] of shown) {
      if (this.#events.length >= MAX_EVENTS) return { events: this.#events, more: true };
      this.#readRelease(version, release);
    }
    for (const version of this.releases.keys()) {
      if (this.#events.length >= MAX_EVENTS) return { events: this.#events, more: true };
      if (!shown.has(version)) this.#miss(version);
    }
    return { events: this.#events, more: false };
  }

  /** Whether a change back counts by now. */
  #confirmed(key: string): boolean {
    if (this.#newer) return true;
    const since = this.#before[key] ?? this.#options.now;
    if (this.#options.now - since >= this.#options.confirmMs) return true;
    if (this.pending.size < MAX_PENDING) this.pending.set(key, since);
    return false;
  }

  /** That a project lives again is told by a release of it; one that was never seen is told anyway. */
  #reappear(): void {
    this.project = "here";
    const newest = newestRelease(this.#page);
    if (newest?.kind === "released" && this.releases.has(newest.version)) this.#events.push(newest);
  }

  #readQuarantine(): void {
    const { name: project } = this.#page;
    if (isQuarantined(this.#page)) {
      if (this.quarantine === "q") return;
      if (this.quarantine === "c" && !this.#confirmed("+quarantine")) return;
      this.quarantine = "q";
      this.#events.push({ kind: "quarantined", project });
    } else if (this.quarantine === "q" && this.#confirmed("-quarantine")) {
      this.quarantine = "c";
      this.#events.push({ kind: "unquarantined", project });
    }
  }

  #readRelease(version: string, shown: ShownRelease): void {
    const { name: project } = this.#page;
    const known = this.releases.get(version);
    const removed = this.gone.get(version);
    if (known !== undefined) {
      const unseen = unseenFiles(known, shown.files);
      this.releases.set(version, packMore(known, unseen));
      if (unseen.length > 0) this.#add(version, unseen);
    } else if (removed === undefined) {
      this.project = "here";
      this.releases.set(version, packRelease(".", shown.files));
      this.#events.push(released(project, version, shown));
    } else if (unseenFiles(removed, shown.files).length > 0 || this.#confirmed(`+${version}`)) {
      this.gone.delete(version);
      this.releases.set(version, packMore(removed, shown.files));
      this.#events.push(released(project, version, shown));
      // Told anew: so is what it is now.
      if (shown.yanked === null) return this.#setYank(version, yankOf(removed) === "." ? "." : "u");
      this.#setYank(version, "y");
      return void this.#events.push(yanked(project, version, shown.yanked));
    } else return;
    this.#readYank(version, shown);
  }

  #add(version: string, unseen: ShownRelease["files"]): void {
    this.project = "here";
    this.#events.push({
      kind: "files-added",
      project: this.#page.name,
      version,
      uploadedAt: firstUpload(unseen),
      files: unseen.slice(0, MAX_NAMED_FILES).map(({ filename }) => filename),
    });
  }

  #readYank(version: string, shown: ShownRelease): void {
    const { name: project } = this.#page;
    const yank = yankOf(this.releases.get(version) ?? ".");
    if (shown.yanked !== null) {
      if (yank === "y") return;
      if (yank === "u" && !this.#confirmed(`y${version}`)) return;
      this.#setYank(version, "y");
      this.#events.push(yanked(project, version, shown.yanked));
    } else if (yank === "y" && this.#confirmed(`u${version}`)) {
      this.#setYank(version, "u");
      this.#events.push({ kind: "unyanked", project, version });
    }
  }

  #setYank(version: string, yank: "." | "y" | "u"): void {
    this.releases.set(version, withYank(this.releases.get(version) ?? ".", yank));
  }

  #miss(version: string): void {
    if (!this.#confirmed(`-${version}`)) return;
    const packed = this.releases.get(version) ?? ".";
    this.releases.delete(version);
    this.gone.delete(version);
    this.gone.set(version, packed);
    this.#events.push({ kind: "release-removed", project: this.#page.name, version });
  }
}

function yanked(project: string, version: string, reason: string): WatchEvent {
  return { kind: "yanked", project, version, reason: yankReason(reason) };
}
