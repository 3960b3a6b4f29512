import { createHash } from "node:crypto";

import type { ListedChange } from "../../store/sql/verdict-changes.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import type { Place } from "../shell/place.ts";
import type { Site } from "../shell/site.ts";
import { xmlText } from "./atom-text.ts";
import { changeTitle, rootWords, sideWords } from "./change-words.ts";

export interface FeedFacts {
  readonly title: string;
  /** The feed, and the page that says the same. */
  readonly self: Place;
  readonly page: Place;
  /** Newest first. */
  readonly changes: readonly ListedChange[];
}

/** A feed without an entry has changed at no time that anybody could name. */
const NEVER = "1970-01-01T00:00:00Z";

/** An Atom feed (RFC 4287) of changes of verdict. @returns null where the site does not know its own address: then nothing in it could be linked. */
export function atomFeed({ title, self, page, changes }: FeedFacts, site: Site): string | null {
  const own = site.address(self);
  const alternate = site.address(page);
  if (own === null) return null;
  const newestMs = Math.max(0, ...changes.map(({ atMs }) => atMs));
  const lines = [
    '<?xml version="1.0" encoding="utf-8"?>',
    '<feed xmlns="http://www.w3.org/2005/Atom">',
    `<id>${idOf(own)}</id>`,
    `<title>${xmlText(title)}</title>`,
    `<updated>${changes.length === 0 ? NEVER : new Date(newestMs).toISOString()}</updated>`,
    "<author><name>Creamery</name></author>",
    "<generator>Creamery</generator>",
    `<link rel="self" type="application/atom+xml" href="${xmlText(own)}"/>`,
    ...(alternate === null
      ? []
      : [`<link rel="alternate" type="text/html" href="${xmlText(alternate)}"/>`]),
    ...changes.flatMap((change) => entryOf(change, site)),
    "</feed>",
  ];
  return `${lines.join("\n")}\n`;
}

function entryOf(change: ListedChange, site: Site): string[] {
  const { id, kind, now, before, root, configuration, atMs } = change;
  const at = new Date(atMs).toISOString();
  const attempt = site.address({ kind: "attempt", id: now.attempt });
  const earlier = site.address({ kind: "attempt", id: before.attempt });
  const where = configurationWords(configuration);
  const text = [
    `Now: ${now.version === "" ? "" : `${now.version}, `}${sideWords(now)}.`,
    ...(attempt === null ? [] : [attempt]),
    `Before: ${before.version === "" ? "" : `${before.version}, `}${sideWords(before)}.`,
    ...(earlier === null ? [] : [earlier]),
    ...(root === change.project ? [] : [`It changed ${rootWords(root)}.`]),
  ].join("\n");
  return [
    "<entry>",
    `<id>${idOf(`${site.address({ kind: "changes" }) ?? ""}#${id}`)}</id>`,
    `<title>${xmlText(changeTitle(change))}</title>`,
    `<updated>${at}</updated>`,
    `<published>${at}</published>`,
    ...(attempt === null
      ? []
      : [`<link rel="alternate" type="text/html" href="${xmlText(attempt)}"/>`]),
    ...(earlier === null
      ? []
      : [
          `<link rel="related" type="text/html" title="${xmlText(`Before, on ${where}`)}" href="${xmlText(earlier)}"/>`,
        ]),
    `<category term="${kind}"/>`,
    `<content type="text">${xmlText(text)}</content>`,
    "</entry>",
  ];
}

/** RFC 9562's namespace of URLs. */
const URLS = Buffer.from("6ba7b8119dad11d180b400c04fd430c8", "hex");

/** A name for good of what lies at an address (UUID version 5): the same in whatever way the feed is read. */
function idOf(address: string): string {
  const bytes = createHash("sha1").update(URLS).update(address).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString("hex");
  return `urn:uuid:${hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/u, "$1-$2-$3-$4-$5")}`;
}
