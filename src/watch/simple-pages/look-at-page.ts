import { CreameryError } from "../../base/errors.ts";
import { MAX_PAGE_BYTES } from "../../index/page/kept-pages.ts";
import { PAGE_ACCEPT } from "../../index/page/page-form.ts";
import { parseProjectPage } from "../../index/page/project-page.ts";
import { shownUrl } from "../../index/upstream/secret.ts";
import { askUpstream, type WatchedIndex } from "../ask-upstream.ts";
import type { WatchEvent } from "../event.ts";
import {
  compareAbsence,
  comparePage,
  firstFacts,
  mayConfirm,
  newestRelease,
  type CompareOptions,
  type SeenPage,
} from "./compare-page.ts";
import { NO_FACTS, releasesOf, type PageFacts } from "./page-facts.ts";

export interface LookOptions extends CompareOptions {
  readonly index: WatchedIndex;
  readonly signal: AbortSignal;
  /** What a first look reports: nothing, or the newest release. */
  readonly first: "nothing" | "newest";
  /** Versions that another source announced: a first look reports those that it finds. */
  readonly announced?: readonly string[];
}

export interface Look {
  readonly facts: PageFacts;
  readonly events: readonly WatchEvent[];
  readonly behind: boolean;
  readonly more: boolean;
}

/**
 * Looks at one project's page: conditionally, by ETag or Last-Modified; where the index knows neither, by comparing
 * digests.
 * @param name normalised.
 * @param known null for a first look.
 * @throws CreameryError as `askUpstream`, and `upstream` for what is no project's page.
 */
export async function lookAtPage(
  name: string,
  known: PageFacts | null,
  options: LookOptions,
): Promise<Look> {
  const { index, now, signal } = options;
  const facts = known ?? NO_FACTS;
  const whole = mayConfirm(facts, options);
  const url = `${index.client.upstream.url}${name}/`;
  const answer = await askUpstream(index, {
    url,
    accept: PAGE_ACCEPT,
    ...(whole ? {} : { etag: facts.etag, modified: facts.modified }),
    maxBytes: MAX_PAGE_BYTES,
    now,
    signal,
  });
  const still = { events: [], behind: false, more: false };
  switch (answer.kind) {
    case "unchanged":
      return { facts: { ...facts, behindSince: null }, ...still };
    case "absent":
      return known === null
        ? { facts: firstFacts(facts, null), ...still }
        : { ...still, ...compareAbsence(facts, name, options) };
    case "refused":
      throw new CreameryError("upstream", `answers ${answer.status}`, { input: shownUrl(url) });
    case "body":
  }
  const { body, said } = answer;
  const address = shownUrl(index.client.upstream.url);
  const page = parseProjectPage(body, said.contentType, answer.url, name, address);
  if (page === null)
    throw new CreameryError("upstream", "answers with what is no project's page", {
      input: shownUrl(url),
      nextStep: "check that the index's address is right",
    });
  const seen: SeenPage = {
    page,
    etag: said.etag,
    modified: said.modified,
    serial: said.serial ?? page.lastSerial,
  };
  if (known === null)
    return { facts: firstFacts(facts, seen), ...still, events: firstEvents(seen, options) };
  const same = page.contentSha256.startsWith(facts.digest ?? "-") && facts.project === "here";
  // Unchanged where the index knows no validators, or says them differently from edge to edge.
  if (same && !whole) return { facts: { ...facts, behindSince: null }, ...still };
  return comparePage(facts, seen, options);
}

function firstEvents({ page }: SeenPage, { first, announced = [] }: LookOptions): WatchEvent[] {
  const newest = first === "newest" ? newestRelease(page) : null;
  const shown = releasesOf(page);
  const told = announced.flatMap((version): WatchEvent[] => {
    const release = shown.get(version);
    if (release === undefined) return [];
    if (newest?.kind === "released" && newest.version === version) return [];
    return [
      {
        kind: "released",
        project: page.name,
        version,
        uploadedAt: release.uploadedAt,
        files: release.files.map(({ filename }) => filename),
      },
    ];
  });
  return [...told, ...(newest === null ? [] : [newest])];
}
