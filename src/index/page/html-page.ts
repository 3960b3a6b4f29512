/** The HTML of PEP 503, read as far as indexes write it: anchors, their attributes, `base` and `meta`. */

export interface Anchor {
  readonly text: string;
  readonly attributes: ReadonlyMap<string, string>;
}

export interface AnchorPage {
  readonly anchors: readonly Anchor[];
  readonly base: string | null;
  readonly meta: ReadonlyMap<string, string>;
}

// No two branches take the same character: hostile pages can't make it search for ever. A comment's end is looked for apart.
const TAG = /<!--|<(\/?)([a-z][a-z0-9]*)((?:"[^"]*"|'[^']*'|[^<>"'])*)>/giu;
const ATTRIBUTE = /([^\s=/"'<>]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/gu;

/** Of a link: no file's name is longer. */
const MAX_TEXT_CHARS = 2000;

/** @returns null for text without a single tag. */
export function parseAnchors(html: string): AnchorPage | null {
  const anchors: Anchor[] = [];
  const meta = new Map<string, string>();
  let base: string | null = null;
  let open: { readonly attributes: Map<string, string>; readonly from: number } | null = null;
  let tags = 0;
  const close = (at: number): void => {
    if (open === null) return;
    const text = html.slice(open.from, Math.min(at, open.from + MAX_TEXT_CHARS));
    anchors.push({
      text: unescapeHtml(text.replaceAll(/<[^>]*>/gu, "")).trim(),
      attributes: open.attributes,
    });
    open = null;
  };
  for (const match of tagsOf(html)) {
    const name = match[2]?.toLowerCase();
    if (name === undefined) continue;
    tags++;
    if (name === "a") {
      // One that is begun ends the one before, as browsers have it.
      close(match.index);
      if (match[1] !== "/")
        open = { attributes: attributesOf(match[3] ?? ""), from: match.index + match[0].length };
    } else if (name === "base" && base === null) {
      base = attributesOf(match[3] ?? "").get("href") ?? null;
    } else if (name === "meta") {
      const attributes = attributesOf(match[3] ?? "");
      const key = attributes.get("name");
      if (key !== undefined) meta.set(key, attributes.get("content") ?? "");
    }
  }
  close(html.length);
  return tags === 0 ? null : { anchors, base, meta };
}

/** Without comments, and what stands in them. */
function* tagsOf(html: string): Generator<RegExpExecArray> {
  const pattern = new RegExp(TAG);
  for (let match = pattern.exec(html); match !== null; match = pattern.exec(html)) {
    if (match[0] !== "<!--") yield match;
    else {
      const end = html.indexOf("-->", pattern.lastIndex);
      if (end < 0) return;
      pattern.lastIndex = end + 3;
    }
  }
}

function attributesOf(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, name, double, single, bare] of text.matchAll(ATTRIBUTE)) {
    if (name !== undefined && !found.has(name.toLowerCase()))
      found.set(name.toLowerCase(), unescapeHtml(double ?? single ?? bare ?? ""));
  }
  return found;
}

const NAMED: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
};

export function unescapeHtml(text: string): string {
  return text.replaceAll(
    /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]+));/giu,
    (whole, hex: string | undefined, decimal: string | undefined, name: string | undefined) => {
      if (name !== undefined) return NAMED[name.toLowerCase()] ?? whole;
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#x27;");
}
