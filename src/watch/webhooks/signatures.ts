import { createHash, createHmac, timingSafeEqual } from "node:crypto";

import type { HookSecret } from "../../model/config/webhooks-table.ts";

const DIGEST_BYTES = 32;
const NOBODYS_KEY = "no secret is configured";

/**
 * The secret under which a message has one of the given HMAC-SHA256 digests; null when none has. Every secret is tried,
 * and one more where there is none, so that neither which of them fits nor that there is none shows in the time it takes.
 * @param keysOf a secret's keys: of most schemes its text.
 */
export function signer(
  secrets: readonly HookSecret[],
  message: readonly (string | Buffer)[],
  digests: readonly Buffer[],
  keysOf: (text: string) => readonly (string | Buffer)[] = (text) => [text],
): HookSecret | null {
  let found: HookSecret | null = null;
  if (secrets.length === 0) hmac(NOBODYS_KEY, message);
  for (const candidate of secrets)
    for (const key of keysOf(candidate.secret.reveal())) {
      const right = hmac(key, message);
      for (const digest of digests)
        if (digest.length === DIGEST_BYTES && timingSafeEqual(right, digest)) found = candidate;
    }
  return found;
}

/** The secret that is itself what was sent; null when none is. Hashes are compared: they are equally long whatever was sent. */
export function holder(secrets: readonly HookSecret[], token: string): HookSecret | null {
  let found: HookSecret | null = null;
  const given = sha256(token);
  for (const candidate of secrets)
    if (timingSafeEqual(sha256(candidate.secret.reveal()), given)) found = candidate;
  return found;
}

/** 64 hexadecimal digits, in lower case as every forge sends them, as bytes; null for anything else. */
export function hexDigest(text: string): Buffer | null {
  return /^[0-9a-f]{64}$/u.test(text) ? Buffer.from(text, "hex") : null;
}

/** `sha256=` and 64 hexadecimal digits as bytes; null for anything else. */
export function prefixedDigest(text: string): Buffer | null {
  return text.startsWith("sha256=") ? hexDigest(text.slice("sha256=".length)) : null;
}

function hmac(key: string | Buffer, message: readonly (string | Buffer)[]): Buffer {
  const hash = createHmac("sha256", key);
  for (const part of message) hash.update(part);
  return hash.digest();
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
