/** `entry_points.txt`: groups of `name = module:object [extras]`. */

export interface EntryPoint {
  readonly group: string;
  readonly name: string;
  readonly module: string;
  /** After the colon, or null. */
  readonly object: string | null;
}

const MAX_ENTRY_POINTS = 2000;

/** What can be read; other lines are left out. */
export function parseEntryPoints(text: string): readonly EntryPoint[] {
  const found: EntryPoint[] = [];
  let group: string | null = null;
  for (const raw of text.split("\n")) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue;
    const section = /^\[([^\]]+)\]$/.exec(line);
    if (section !== null) {
      group = (section[1] ?? "").trim();
      continue;
    }
    const entry = /^([^=]+?)\s*=\s*([\w.]+)\s*(?::\s*([\w.]+))?\s*(?:\[[^\]]*\])?$/.exec(line);
    if (group === null || entry === null) continue;
    found.push({ group, name: entry[1] ?? "", module: entry[2] ?? "", object: entry[3] ?? null });
    if (found.length >= MAX_ENTRY_POINTS) break;
  }
  return found;
}
