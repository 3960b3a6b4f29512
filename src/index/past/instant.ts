const DATE = String.raw`(\d{4})-(\d\d)-(\d\d)`;
const TIME = String.raw`(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?`;
const ZONE = String.raw`(z|[+-]\d\d:?\d\d)`;
const INSTANT = new RegExp(`^${DATE}[t ]${TIME}${ZONE}$`, "iu");
/** All of ISO 8601 that both pip and uv read. */
const UPLOADED =
  /^(\d{4})-?(\d\d)-?(\d\d)[t ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?(z|[+-]\d\d(?::?\d\d)?)?$/iu;
const DAY = new RegExp(`^${DATE}$`, "u");

const MINUTE_MS = 60_000;
const MAX_CHARS = 40;

/**
 * An instant as a person writes it: RFC 3339, or a date alone, which is its midnight in UTC. To the millisecond, as uv
 * has it: what is finer is cut off.
 * @returns null for anything else, days that no month has among it.
 */
export function parseInstant(text: string): Date | null {
  if (text.length > MAX_CHARS) return null;
  const day = DAY.exec(text);
  const ms = day === null ? msOf(INSTANT.exec(text)) : msOf(day);
  return ms === null ? null : new Date(ms);
}

/**
 * When a file was uploaded, as its page says it: milliseconds since 1970. Some indexes leave the zone out; it is UTC there
 * (PEP 700).
 * @returns null for what is no such time.
 */
export function parseUploadTime(text: string): number | null {
  return text.length > MAX_CHARS ? null : msOf(UPLOADED.exec(text));
}

/** As PEP 700 has it. */
const TOLD = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/u;

/** No client's calendar ends sooner, or begins later. */
const [FIRST_MS, LAST_MS] = [Date.UTC(1900), Date.UTC(9999)];

/**
 * The time of an upload as clients can read it: uv takes no page of which one time has no zone, and pip ends with a traceback.
 * @returns null for what is no such time.
 */
export function readableUploadTime(text: string): string | null {
  const ms = parseUploadTime(text);
  if (ms === null || ms < FIRST_MS || ms >= LAST_MS) return null;
  if (TOLD.test(text)) return text;
  const [, fraction = "000"] = /[.,](\d+)/u.exec(text) ?? [];
  return `${new Date(ms).toISOString().slice(0, 19)}.${fraction}Z`;
}

function msOf(match: RegExpExecArray | null): number | null {
  if (match === null) return null;
  const [, year, month, day, hour = "0", minute = "0", second = "0", fraction = "", zone = "Z"] =
    match;
  const midnight = Date.UTC(Number(year), Number(month) - 1, Number(day));
  const date = new Date(midnight);
  // A day that the month has not would be one of the next; years before 100 would be others.
  if (date.getUTCDate() !== Number(day) || date.getUTCMonth() !== Number(month) - 1) return null;
  if (date.getUTCFullYear() !== Number(year)) return null;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)?$/u.exec(zone) ?? [];
  if (Number(hours ?? 0) > 23 || Number(minutes ?? 0) > 59) return null;
  const offset = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * (sign === "-" ? -1 : 1);
  const seconds = (Number(hour) * 60 + Number(minute)) * 60 + Number(second);
  const ms = Number(fraction.padEnd(3, "0").slice(0, 3));
  return midnight + seconds * 1000 + ms - offset * MINUTE_MS;
}
