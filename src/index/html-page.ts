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

// No two branches take the same character: hostile pages can't make it search for ever.
const TAG = /<!--[\s\S]*?-->|<(\/?)([a-z][a-z0-9]*)((?:"[^"]*"|'[^']*'|[^<>"'])*)>/giu;
const ATTRIBUTE = /([^\s=/"'<>]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/gu;

/** @returns null for text without a single tag. */
export function parseAnchors(html: string): AnchorPage | null {
  const anchors: Anchor[] = [];
  const meta = new Map<string, string>();
  let base: string | null = null;
  let open: { readonly attributes: Map<string, string>; readonly from: number } | null = null;
  let tags = 0;
  for (const match of html.matchAll(TAG)) {
    const name = match[2]?.toLowerCase();
    if (name === undefined) continue;
    tags++;
    if (name === "a") {
      if (match[1] === "/") {
        if (open !== null)
          anchors.push({
            text: unescapeHtml(
              html.slice(open.from, match.index).replaceAll(/<[^>]*>/gu, ""),
            ).trim(),
            attributes: open.attributes,
          });
        open = null;
      } else {
        open = { attributes: attributesOf(match[3] ?? ""), from: match.index + match[0].length };
      }
    } else if (name === "base" && base === null) {
      base = attributesOf(match[3] ?? "").get("href") ?? null;
    } else if (name === "meta") {
      const attributes = attributesOf(match[3] ?? "");
      const key = attributes.get("name");
      if (key !== undefined) meta.set(key, attributes.get("content") ?? "");
    }
  }
  return tags === 0 ? null : { anchors, base, meta };
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

function unescapeHtml(text: string): string {
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
