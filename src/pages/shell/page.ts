import type { Action, Subject, Within } from "../../model/authorise.ts";
import type { AssetName } from "./assets.ts";
import type { Html } from "./html.ts";
import type { Site } from "./site.ts";
import type { Told } from "./told.ts";

/** Who looks at a page. */
export interface Viewer {
  /** Null for who has not said who they are. */
  readonly name: string | null;
  /** Whether the whole queue, hosts and what is wrong are theirs to see and to change. */
  readonly mayOperate: boolean;
  /** By the one table (model/authorise.ts): nobody is shown what they may not do. */
  readonly may: (action: Action, subject: Subject) => boolean;
  /** Whether there is anything that they may have tested. */
  readonly mayEnqueue: boolean;
  /** Goes with each form that changes something; null where nothing can be changed. */
  readonly formToken: string | null;
}

export const NOBODY: Viewer = {
  name: null,
  mayOperate: false,
  may: () => false,
  mayEnqueue: false,
  formToken: null,
};

/** All that a page is made for, besides what it shows. */
export interface PageContext {
  readonly site: Site;
  readonly viewer: Viewer;
  /** What who looks gets to see: every query is narrowed to it. */
  readonly within: Within;
  /** Ms since 1970; NaN for pages that will be read at another time: they tell when something was, and not how long ago. */
  readonly nowMs: number;
  /** The page's own path and query, to come back to; null where it can't be come back to. */
  readonly here: string | null;
  /** What was just done, to be told once. */
  readonly told: Told | null;
  /** Of pages as files: until when the farm's knowledge is in them, ms since 1970. */
  readonly writtenAt?: number;
}

/** Where in the navigation a page belongs. */
export type Section = "home" | "queue" | "hosts" | "images" | "changes" | "about" | "search";

export interface Page {
  /** Of the window, without the farm's name; texts are escaped where they are put. */
  readonly title: string;
  readonly section: Section | null;
  readonly main: Html;
  readonly scripts?: readonly AssetName[];
  /** In the head: feeds that belong to the page. */
  readonly feed?: { readonly href: string; readonly title: string };
}
