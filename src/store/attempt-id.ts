import { randomBytes } from "node:crypto";

// Crockford's alphabet: no letter that looks like a digit.
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const TIME_CHARS = 9;
const RANDOM_CHARS = 7;

/** A new attempt's id, made by whoever runs it: 16 characters, in the order of time, safe as a file's name. */
export function newAttemptId(
  nowMs: number = Date.now(),
  random: Uint8Array = randomBytes(RANDOM_CHARS),
): string {
  let time = "";
  for (let rest = nowMs; time.length < TIME_CHARS; rest = Math.floor(rest / 32))
    time = (ALPHABET[rest % 32] ?? "0") + time;
  return (
    time + [...random.subarray(0, RANDOM_CHARS)].map((byte) => ALPHABET[byte % 32] ?? "0").join("")
  );
}

/** Whether a text may be an attempt's id or a beginning of one. */
export function isAttemptId(text: string): boolean {
  return text.length <= 64 && /^[0-9a-z][0-9a-z-]*$/.test(text);
}

/** When an id was made, ms since 1970; null for what is no whole id. */
export function madeAtMs(id: string): number | null {
  if (!new RegExp(`^[${ALPHABET}]{${TIME_CHARS + RANDOM_CHARS}}$`, "u").test(id)) return null;
  let ms = 0;
  for (const character of id.slice(0, TIME_CHARS)) ms = ms * 32 + ALPHABET.indexOf(character);
  return ms;
}
