import { html, type Html } from "./html.ts";

const UNITS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
] as const;

/**
 * `3 minutes ago`, with the instant itself (UTC) to be read by pointer and by programs.
 * @param nowMs NaN where nobody knows when it will be read: then its date is what is shown.
 */
export function timeAgo(atMs: number, nowMs: number): Html {
  const at = new Date(atMs).toISOString();
  return html`<time datetime="${at}" title="${instantText(atMs)}">${agoText(atMs, nowMs)}</time>`;
}

/** `2026-11-24 10:00 UTC` */
export function instantText(atMs: number): string {
  const at = new Date(atMs).toISOString();
  return `${at.slice(0, 10)} ${at.slice(11, 16)} UTC`;
}

/** `3 minutes ago`, `in 2 hours`; a date where it is more than 30 days away, or where there is no present. */
export function agoText(atMs: number, nowMs: number): string {
  if (Number.isNaN(nowMs)) return new Date(atMs).toISOString().slice(0, 10);
  const seconds = Math.round(Math.abs(nowMs - atMs) / 1000);
  if (seconds > 30 * 86_400) return new Date(atMs).toISOString().slice(0, 10);
  const unit = UNITS.find(([, size]) => seconds >= size);
  if (unit === undefined) return atMs > nowMs + 1000 ? "in a moment" : "just now";
  const [name, size] = unit;
  const count = Math.floor(seconds / size);
  const text = `${count} ${name}${count === 1 ? "" : "s"}`;
  return atMs > nowMs ? `in ${text}` : `${text} ago`;
}

/** `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function durationText(seconds: number): string {
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
