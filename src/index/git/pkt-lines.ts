/** What a git client posts (gitprotocol-v2(5), gitprotocol-pack(5)), as far as one who serves it has to know. */
export interface UploadRequest {
  /** `ls-refs` or `fetch`; null of the old protocol, which fetches. */
  readonly command: string | null;
  /** Which references are asked for, by the beginnings of their names; empty for all. */
  readonly prefixes: readonly string[];
  /** Hashes of what is to be sent. */
  readonly wants: readonly string[];
}

const FLUSH_AND_THE_LIKE = 2;
const HEADER = 4;

/** @returns null for what is no such request. */
export function parseUploadRequest(body: Buffer): UploadRequest | null {
  let command: string | null = null;
  const prefixes: string[] = [];
  const wants = new Set<string>();
  for (let at = 0; at < body.length;) {
    const digits = body.toString("latin1", at, at + HEADER);
    if (!/^[0-9a-f]{4}$/iu.test(digits)) return null;
    const length = Number.parseInt(digits, 16);
    if (length <= FLUSH_AND_THE_LIKE) {
      at += HEADER;
      continue;
    }
    if (length < HEADER || at + length > body.length) return null;
    const line = body.toString("utf8", at + HEADER, at + length).replace(/\n$/u, "");
    at += length;
    const [word = "", rest = ""] =
      /^(command=|ref-prefix |want )(.*)$/su.exec(line)?.slice(1) ?? [];
    if (word === "command=") command ??= rest;
    else if (word === "ref-prefix ") prefixes.push(rest);
    else if (word === "want ") {
      // The first of the old protocol is followed by what its client can do.
      const hash = rest.slice(0, 40);
      if (!/^[0-9a-f]{40}$/u.test(hash)) return null;
      wants.add(hash);
    }
  }
  return { command, prefixes, wants: [...wants] };
}

/** One line, as a client reads it. */
export function pktLine(text: string): Buffer {
  const line = Buffer.from(text);
  return Buffer.concat([Buffer.from((line.length + HEADER).toString(16).padStart(4, "0")), line]);
}
