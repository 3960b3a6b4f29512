import type { Place } from "../../pages/shell/place.ts";
import { fileOf } from "../../pages/files/file-of.ts";
import type { ReportPlan } from "./plan-report.ts";

/** Of the farm as a whole: a report of one run has none of them. */
export const FARM_PAGES = ["changes", "images", "about"] as const;
export type FarmPage = (typeof FARM_PAGES)[number];

function isFarmPage(kind: string): kind is FarmPage {
  return FARM_PAGES.some((page) => page === kind);
}

/** Which places a report has: links lead to these alone. */
export class ReportContents {
  readonly #farmPages: readonly FarmPage[];
  readonly #releases: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #attempts: ReadonlySet<string>;
  readonly #made = new Set<string>();

  constructor({ projects }: Pick<ReportPlan, "projects">, farmPages: readonly FarmPage[]) {
    this.#farmPages = farmPages;
    this.#releases = new Map(
      projects.map(({ name, attempts }) => [name, new Set(attempts.map(({ version }) => version))]),
    );
    this.#attempts = new Set(projects.flatMap(({ attempts }) => attempts.map(({ id }) => id)));
  }

  has = (place: Place): boolean => {
    if (place.kind === "home" || place.kind === "asset") return true;
    if (isFarmPage(place.kind)) return this.#farmPages.includes(place.kind);
    if (place.kind === "search") return place.query === undefined;
    if (place.kind === "release")
      return this.#releases.get(place.project)?.has(place.version) === true;
    if (place.kind === "attempt") return this.#attempts.has(place.id);
    if (place.kind === "project" && Object.keys(place.parameters ?? {}).length === 0)
      return this.#releases.has(place.project);
    // Of the rest it is known only once it is made.
    return this.#made.has(fileOf(place) ?? "");
  };

  /** From here on it is linked to: what is known only once it is made, or about to be. */
  add(place: Place): void {
    this.#made.add(fileOf(place) ?? "");
  }
}
