import { createHash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

import type { PrincipalKind } from "./principals.ts";

/**
 * `creamery_KIND_ID_SECRET`: what a person, a program or a worker shows. The id is no secret and is how a token is spoken
 * of; the secret is 256 random bits, followed by a checksum of all that stands before it, so that what was mistyped or cut
 * is told without asking the store, and scanners for leaked secrets can be sure of what they found.
 */
export interface NewToken {
  readonly text: string;
  readonly id: string;
  readonly sha256: string;
}

// Crockford's alphabet: no letter that looks like a digit, no mark that would end a word on a double click.
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const ID_BYTES = 10;
const SECRET_BYTES = 32;
const ID_CHARS = 16;
const SECRET_CHARS = 52;
const CHECK_CHARS = 7;

const SHAPE = new RegExp(
  `^creamery_(person|program|worker)_([${ALPHABET}]{${ID_CHARS}})_[${ALPHABET}]{${SECRET_CHARS + CHECK_CHARS}}$`,
  "u",
);

/** @param random so many random bytes. */
export function newToken(
  kind: PrincipalKind,
  random: (bytes: number) => Uint8Array = randomBytes,
): NewToken {
  const id = base32(random(ID_BYTES));
  const unchecked = `creamery_${kind}_${id}_${base32(random(SECRET_BYTES))}`;
  const text = unchecked + checksum(unchecked);
  return { text, id, sha256: tokenSha256(text) };
}

/** What a token says of itself; null for what is no token, mistyped ones among them. Says nothing of whether it is anybody's. */
export function readToken(
  text: string,
): { readonly kind: string; readonly id: string; readonly sha256: string } | null {
  const [, kind, id] = SHAPE.exec(text) ?? [];
  if (kind === undefined || id === undefined) return null;
  if (text.slice(-CHECK_CHARS) !== checksum(text.slice(0, -CHECK_CHARS))) return null;
  return { kind, id, sha256: tokenSha256(text) };
}

/**
 * What is kept of a token. A plain hash is enough, and a slow one (argon2, scrypt) would help nobody: those make guessing
 * what people think of dear, and 256 random bits are not guessed at any price. It is also what lets a token be found by
 * one look into an index, and be compared without its length or beginning showing.
 */
export function tokenSha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Five bits a character, the last filled up with zeros. */
function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(held >> bits) & 31] ?? "";
    }
  }
  return bits === 0 ? text : text + (ALPHABET[(held << (5 - bits)) & 31] ?? "");
}

function checksum(text: string): string {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(text));
  return base32(sum);
}
