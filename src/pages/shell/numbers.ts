/** `1,234,567`: for people who read English. */
export function numberText(value: number): string {
  return value.toLocaleString("en-GB");
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** `1.2 GB`; of 1000 bytes a kB. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : Math.round(value * 10) / 10} ${UNITS[unit] ?? ""}`;
}

/** `12.3 %` of a whole; `0 %` where there is nothing. */
export function shareText(part: number, whole: number): string {
  if (whole === 0) return "0 %";
  const share = (100 * part) / whole;
  return share > 0 && share < 0.1 ? "under 0.1 %" : `${Math.round(share * 10) / 10} %`;
}
