/** The rooms of `src/` from the top down: each imports only from those before it. */
export const ROOMS = [
  "base",
  "python",
  "model",
  "discovery",
  "store",
  "bucket",
  "queue",
  "index",
  "image",
  "launcher",
  "machine",
  "lint",
  "worker",
  "judge",
  "watch",
  "notify",
  "pages",
  "web",
  "cli",
] as const;

const IMPORT = /(?:\bfrom\s+|\bimport\s*\(?\s*)["'](?:\.\.\/)+([a-z-]+)\//gu;

/** Rooms that a file of `room` imports, also lazily, though they lie below it. */
export function wallsBroken(room: string, text: string): string[] {
  const order: readonly string[] = ROOMS;
  const place = order.indexOf(room);
  return [...text.matchAll(IMPORT)]
    .map(([, imported = ""]) => imported)
    .filter((imported) => order.indexOf(imported) > place);
}
