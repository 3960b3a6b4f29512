const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

/** For people, in the units that creamery.toml speaks of: `3.2 GiB`. */
export function sizeText(bytes: number): string {
  if (bytes >= GIB) return `${(bytes / GIB).toFixed(1)} GiB`;
  if (bytes >= MIB) return `${(bytes / MIB).toFixed(1)} MiB`;
  return `${(bytes / 1024).toFixed(1)} KiB`;
}
