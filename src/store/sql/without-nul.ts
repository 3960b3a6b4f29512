/** PostgreSQL's text has no place for a NUL, which hostile names and messages may hold: made visible. */
export function withoutNul(text: string): string {
  return text.replaceAll("\0", "\u2400");
}
