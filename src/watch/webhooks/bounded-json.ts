const MAX_DEPTH = 64;

export type JsonReading =
  | { readonly kind: "ok"; readonly value: unknown }
  | { readonly kind: "bad"; readonly reason: string };

/** Bytes from a stranger as JSON: UTF-8 alone, no deeper than payloads are. How long it is bounded already. */
export function parseBoundedJson(bytes: Buffer, maxDepth: number = MAX_DEPTH): JsonReading {
  if (depthOf(bytes) > maxDepth)
    return { kind: "bad", reason: `the JSON is nested deeper than ${maxDepth} levels` };
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    return { kind: "ok", value };
  } catch {
    // What the parser says quotes the body.
    return { kind: "bad", reason: "the body is no JSON in UTF-8" };
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Of arrays and objects; brackets within strings do not count. Of what is no JSON it is some number. */
function depthOf(bytes: Buffer): number {
  let depth = 0;
  let deepest = 0;
  let quoted = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (quoted) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) quoted = false;
    } else if (byte === QUOTE) quoted = true;
    else if (byte === 0x7b || byte === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return deepest;
}
