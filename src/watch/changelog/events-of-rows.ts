import { isFilename } from "../../index/files/kept-file.ts";
import { isName, normaliseName } from "../../python/names.ts";
import { formatVersion, parseVersion } from "../../python/versions.ts";
import { MAX_NAMED_FILES, type WatchEvent } from "../event.ts";
import type { ChangelogRow } from "./xml-rpc.ts";

/** One project's events of an answer. */
export interface ProjectChanges {
  readonly project: string;
  /** In the order of serials; what belongs to one release is one event. */
  readonly events: WatchEvent[];
  /** The highest that its events have: a page with a lower one does not show them all. */
  serial: number;
  /** The newest of its rows, seconds since 1970. */
  timestamp: number;
}

/** What rows mean, by project in the order of their first. Names and versions that can be none are nobody's. */
export function eventsOfRows(rows: readonly ChangelogRow[]): ReadonlyMap<string, ProjectChanges> {
  const projects = new Map<string, ProjectChanges>();
  for (const row of rows) {
    if (!isName(row.project)) continue;
    const project = normaliseName(row.project);
    const event = eventOf(project, row);
    if (event === null) continue;
    let changes = projects.get(project);
    if (changes === undefined) {
      changes = { project, events: [], serial: 0, timestamp: 0 };
      projects.set(project, changes);
    }
    changes.serial = Math.max(changes.serial, row.serial);
    changes.timestamp = Math.max(changes.timestamp, row.timestamp);
    addEvent(changes.events, event);
  }
  return projects;
}

/** Adds an event; a file of a release that is told here already is told with it. */
export function addEvent(events: WatchEvent[], event: WatchEvent): void {
  if (event.kind !== "files-added") return void events.push(event);
  const at = events.findLastIndex((told) => "version" in told && told.version === event.version);
  const told = events[at];
  if (told?.kind !== "released" && told?.kind !== "files-added") return void events.push(event);
  events[at] = {
    ...told,
    files: [...new Set([...(told.files ?? []), ...event.files])].slice(0, MAX_NAMED_FILES),
  };
}

const ADD_FILE = /^add \S+ file (\S+)$/u;

function eventOf(
  project: string,
  { version: text, timestamp, action }: ChangelogRow,
): WatchEvent | null {
  switch (action) {
    case "remove project":
      return { kind: "project-removed", project };
    case "project quarantined":
      return { kind: "quarantined", project };
    case "project quarantine cleared":
      return { kind: "unquarantined", project };
    default:
  }
  const parsed = text === null ? null : parseVersion(text);
  if (parsed === null) return null;
  const version = formatVersion(parsed);
  const uploadedAt = timeOf(timestamp);
  switch (action) {
    case "new release":
      return { kind: "released", project, version, uploadedAt };
    case "yank release":
      return { kind: "yanked", project, version, reason: null };
    case "unyank release":
      return { kind: "unyanked", project, version };
    case "remove release":
      return { kind: "release-removed", project, version };
    default: {
      const file = ADD_FILE.exec(action)?.[1];
      if (file === undefined || !isFilename(file)) return null;
      return { kind: "files-added", project, version, uploadedAt, files: [file] };
    }
  }
}

function timeOf(timestamp: number): string | null {
  return timestamp > 0 && timestamp < 4e9 ? new Date(timestamp * 1000).toISOString() : null;
}
