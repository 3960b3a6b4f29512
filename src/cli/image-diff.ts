import { printableLine } from "../base/bounded-text.ts";
import type { Change, ImageDifference } from "../image/diff-images.ts";

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
    section("interpreters", difference.interpreters.map(changeLine), most),
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

function changeLine({ name, from, to }: Change): string {
  if (to === null) return `- ${name} ${from}`;
  return from === null ? `+ ${name} ${to}` : `~ ${name} ${from} -> ${to}`;
}
