import { CreameryError } from "../../base/errors.ts";
import { shownUrl } from "../../index/upstream/secret.ts";
import { isName, normaliseName } from "../../python/names.ts";
import { formatVersion, parseVersion } from "../../python/versions.ts";
import { askUpstream, type WatchedIndex } from "../ask-upstream.ts";
import { readXml, xmlChild, xmlList, xmlText, type XmlValue } from "../read-xml.ts";

export interface FeedItem {
  readonly project: string;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly publishedAt: number;
}

export interface FeedQuestion {
  readonly index: WatchedIndex;
  readonly url: string;
  readonly etag: string | null;
  readonly modified: string | null;
  readonly now: number;
  readonly signal: AbortSignal;
}

export interface FeedAnswer {
  readonly items: readonly FeedItem[];
  readonly etag: string | null;
  readonly modified: string | null;
}

const MAX_BYTES = 4 << 20;
const MAX_ITEMS = 5000;

/**
 * The newest releases as an index's RSS has them.
 * @returns null when it is as it was.
 * @throws as `askUpstream`, and CreameryError `upstream` for what is no such feed.
 */
export async function askFeed(question: FeedQuestion): Promise<FeedAnswer | null> {
  const { index, url, etag, modified, now, signal } = question;
  const input = shownUrl(url);
  const answer = await askUpstream(index, {
    url,
    accept: "application/rss+xml, text/xml;q=0.9, application/xml;q=0.8",
    etag,
    modified,
    maxBytes: MAX_BYTES,
    now,
    signal,
  });
  if (answer.kind === "unchanged") return null;
  if (answer.kind !== "body") {
    const said = answer.kind === "absent" ? "has no RSS" : `answers ${answer.status}`;
    throw new CreameryError("upstream", said, { input });
  }
  const items = readFeed(answer.body, input);
  return { items, etag: answer.said.etag, modified: answer.said.modified };
}

/** Items that tell a release; others are passed over. @throws CreameryError `upstream` for what is no RSS. */
export function readFeed(body: Buffer, input: string): readonly FeedItem[] {
  const channel = xmlChild(xmlChild(readXml(body, ["item"], input), "rss"), "channel");
  if (channel === undefined)
    throw new CreameryError("upstream", "sends XML that is no RSS", { input });
  return xmlList(channel, "item")
    .slice(0, MAX_ITEMS)
    .flatMap((item) => {
      const read = readItem(item);
      return read === null ? [] : [read];
    });
}

function readItem(item: XmlValue): FeedItem | null {
  const [, name, text] =
    /^(\S+) (\S+)$/u.exec(xmlText(xmlChild(item, "title"))?.trim() ?? "") ?? [];
  if (name === undefined || text === undefined || !isName(name)) return null;
  const version = parseVersion(text);
  const publishedAt = Date.parse(xmlText(xmlChild(item, "pubDate")) ?? "");
  if (version === null || Number.isNaN(publishedAt)) return null;
  return { project: normaliseName(name), version: formatVersion(version), publishedAt };
}
