import { printableLine } from "../../base/bounded-text.ts";
import type { MissingCell } from "../../model/missing-cell.ts";
import type { AttemptJson, MissingCellJson } from "../../model/result-json.ts";
import { paint } from "./tone.ts";

/** What the JSON says of it: all but why it is shown. */
export function missingJson(cell: MissingCell): MissingCellJson {
  const { project, version, source, configuration, image, reason, nextStep } = cell;
  return { project, version, source, configuration, image, reason, nextStep };
}

export function isSameSource(one: AttemptJson["source"], other: AttemptJson["source"]): boolean {
  return one.kind === other.kind && one.sha256 === other.sha256;
}

/** What the matrix has no room for: what is missing, why, and what to do about it. Whole lines. */
export function renderMissing(
  cells: readonly MissingCell[],
  attempts: readonly AttemptJson[],
  colour: boolean,
): string {
  return cells
    .map((cell) => {
      // A tree says its name and version only when it is built: where it was, they are known.
      const { project, version } =
        attempts.find(({ source }) => isSameSource(source, cell.source)) ?? cell;
      const name = `${project} ${version}`.trim();
      return [
        `${printableLine(`${name} ${cell.configuration}`)}: ${paint("missing", "neutral", colour)}, not run: image ${printableLine(cell.image)} was made without it`,
        `  why: ${printableLine(cell.reason)}`,
        `  next: ${printableLine(cell.nextStep)}`,
        "",
      ].join("\n");
    })
    .join("");
}
