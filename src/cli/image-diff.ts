import { printableLine } from "../base/bounded-text.ts";
import type { Change, ImageDifference, InterpreterChange } from "../image/diff-images.ts";
import type { Builder } from "../model/source.ts";

/** How many of a kind are shown before the rest is counted. */
const SHOWN = 20;

/** What `creamery image diff` prints: what breaks people first, and nothing that is the same. */
export function renderDifference(difference: ImageDifference, all: boolean): string {
  const { files } = difference;
  const most = all ? Number.POSITIVE_INFINITY : SHOWN;
  const paths = [
    ...files.removed.map((path) => `- ${path}`),
    ...files.changed.map((path) => `~ ${path}`),
    ...files.added.map((path) => `+ ${path}`),
  ];
  const counts = `${files.removed.length} removed, ${files.changed.length} changed, ${files.added.length} added`;
  const sections = [
    section("interpreters", difference.interpreters.map(interpreterLine), most),
    section("tools", difference.tools.map(changeLine), most),
    section("kernel", difference.kernel === null ? [] : [changeLine(difference.kernel)], most),
    section("Debian packages", difference.packages.map(changeLine), most),
    section(`files: ${counts}`, paths, most),
  ].flat();
  const { from, to } = difference;
  const lines =
    sections.length === 0
      ? [`${from} and ${to} hold the same`]
      : [`from ${from} to ${to}: - is gone, ~ is another, + is new`, ...sections];
  return lines.map((line) => `${printableLine(line)}\n`).join("");
}

function section(title: string, lines: readonly string[], most: number): readonly string[] {
  if (lines.length === 0) return [];
  const left = lines.length - most;
  return [
    title,
    ...lines.slice(0, most).map((line) => `  ${line}`),
    ...(left > 0 ? [`  and ${left} more (--all, --json)`] : []),
  ];
}

/** Who built it is told where it is not Debian alone; what it lacks where that is another. */
function interpreterLine({ name, from, to, ...change }: InterpreterChange): string {
  const { builder, lost, gained, missing } = change;
  const told = [builder.from, builder.to].some((who) => who !== null && who !== "debian");
  const by = (version: string | null, who: Builder | null) =>
    version === null ? null : told ? `${version} by ${who}` : version;
  const line = changeLine({ name, from: by(from, builder.from), to: by(to, builder.to) });
  return [
    line,
    ...(lost.length === 0 ? [] : [`now without ${lost.join(", ")}`]),
    ...(gained.length === 0 ? [] : [`now with ${gained.join(", ")}`]),
    ...(missing === null ? [] : [`left out: ${missing}`]),
  ].join("; ");
}

function changeLine({ name, from, to }: Change): string {
  if (to === null) return `- ${name} ${from}`;
  return from === null ? `+ ${name} ${to}` : `~ ${name} ${from} -> ${to}`;
}
