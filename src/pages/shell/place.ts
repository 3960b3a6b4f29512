import type { AssetName } from "./assets.ts";
import { deedPath, type Deed } from "./deed.ts";

export const DOWNLOADS = [
  "result.json",
  "junit.xml",
  "result.sarif",
  "log.txt",
  "pylock.toml",
  "pylock.build.toml",
] as const;
export type Download = (typeof DOWNLOADS)[number];

/** What a page is asked for besides its address, by name: filters, a place in a list. */
export type Parameters = Readonly<Record<string, string>>;

/** Everything that has an address of its own, for people. */
export type Place =
  | { readonly kind: "home" | "hosts" | "about" | "logout" | "changes-feed" }
  | {
      readonly kind: "queue" | "images" | "changes" | "comparisons";
      readonly parameters?: Parameters;
    }
  /** @property parameters `to`: where one goes on to after it, path and query. */
  | { readonly kind: "login" | "login-provider"; readonly parameters?: Parameters }
  /** @property parameters `after`: the name that the page before ended with. */
  | { readonly kind: "watched"; readonly parameters?: Parameters }
  /** @property parameters `target`: as a person types it, to begin with. */
  | { readonly kind: "enqueue"; readonly parameters?: Parameters }
  | Deed
  | { readonly kind: "search"; readonly query?: string }
  | { readonly kind: "project"; readonly project: string; readonly parameters?: Parameters }
  | { readonly kind: "release"; readonly project: string; readonly version: string }
  | {
      readonly kind: "attempt";
      readonly id: string;
      readonly parameters?: Parameters;
      readonly fragment?: string;
    }
  /** @property page from 1. */
  | { readonly kind: "log"; readonly id: string; readonly page: number; readonly fragment?: string }
  /** What a page with a log asks for: pieces of it, and where in it a text or a line stands. */
  | {
      readonly kind: "log-part";
      readonly id: string;
      readonly part: "lines" | "panel" | "find";
      readonly parameters?: Parameters;
    }
  | { readonly kind: "download"; readonly id: string; readonly what: Download }
  | { readonly kind: "comparison"; readonly id: string; readonly parameters?: Parameters }
  | { readonly kind: "comparison-json"; readonly id: string }
  | { readonly kind: "feed" | "matrix" | "badge" | "shields"; readonly project: string }
  | { readonly kind: "asset"; readonly name: AssetName };

/** Below the root of the farm, without a slash before it; without query and fragment. */
export function pathOf(place: Exclude<Place, { readonly kind: "asset" }>): string {
  switch (place.kind) {
    case "home":
      return "";
    case "queue":
    case "hosts":
    case "images":
    case "changes":
    case "about":
    case "login":
    case "logout":
    case "watched":
    case "search":
      return place.kind;
    case "changes-feed":
      return "changes/feed.xml";
    case "enqueue":
      return "queue/add";
    case "login-provider":
      return "login/oidc";
    case "deed":
      return deedPath(place);
    case "project":
      return `p/${encodeURIComponent(place.project)}`;
    case "release":
      return `p/${encodeURIComponent(place.project)}/${encodeURIComponent(place.version)}`;
    case "attempt":
      return `a/${encodeURIComponent(place.id)}`;
    case "log":
      return `a/${encodeURIComponent(place.id)}/log/${place.page}`;
    case "log-part":
      return `a/${encodeURIComponent(place.id)}/log/${place.part}`;
    case "download":
      return `a/${encodeURIComponent(place.id)}/${place.what}`;
    case "comparisons":
      return "compare";
    case "comparison":
      return `compare/${encodeURIComponent(place.id)}`;
    case "comparison-json":
      return `compare/${encodeURIComponent(place.id)}/comparison.json`;
    case "feed":
      return `p/${encodeURIComponent(place.project)}/feed.xml`;
    case "matrix":
      return `p/${encodeURIComponent(place.project)}/matrix.svg`;
    case "badge":
      return `badge/${encodeURIComponent(place.project)}.svg`;
    case "shields":
      return `badge/${encodeURIComponent(place.project)}.json`;
  }
}
