/** The colours that logs are shown in: a terminal's eight, each with one shade that can be read on our grounds. */
export const COLOURS = [
  "black",
  "red",
  "green",
  "yellow",
  "blue",
  "magenta",
  "cyan",
  "white",
] as const;
export type Colour = (typeof COLOURS)[number];

/**
 * The nearest of ours to what a package asked for.
 * @param given by its class: `ansi-red`, `ansi-bright-red`, `ansi-palette-208`, `ansi-truecolor`.
 * @param rgb of a true colour: `255, 128, 0`.
 * @returns null for none, and for what is not known.
 */
export function colourName(given: string | null, rgb: string | null): Colour | null {
  if (given === null) return null;
  const palette = /^ansi-palette-(\d{1,3})$/u.exec(given)?.[1];
  if (palette !== undefined) return nearest(paletteColour(Number(palette)));
  if (given === "ansi-truecolor") return nearest((rgb ?? "").split(",").map(Number));
  const name = given.replace(/^ansi-(?:bright-)?/u, "");
  return COLOURS.find((one) => one === name) ?? null;
}

/** xterm's table: a cube of six steps, then greys. */
function paletteColour(index: number): number[] {
  if (index >= 232) return [0, 0, 0].map(() => 8 + (index - 232) * 10);
  const steps = [0, 95, 135, 175, 215, 255];
  const cube = Math.max(0, index - 16);
  return [Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((at) => steps[at] ?? 0);
}

/** By hue: how bright it is does not matter, as it is shown in our shade of it. */
function nearest([red = 0, green = 0, blue = 0]: readonly number[]): Colour {
  const most = Math.max(red, green, blue);
  const least = Math.min(red, green, blue);
  if (!(most - least >= 40)) return most > 127 ? "white" : "black";
  const middle = (most + least) / 2;
  const bits = (red > middle ? 1 : 0) + (green > middle ? 2 : 0) + (blue > middle ? 4 : 0);
  return COLOURS[bits] ?? "white";
}
