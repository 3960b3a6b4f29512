import { printableLine } from "../../base/bounded-text.ts";
import type { Change, Sides } from "../../judge/change.ts";
import { VERDICTS, type CompareVerdict, type SideRun } from "../../judge/compare-sides.ts";
import type { ComparedJson, ComparisonJson, RunJson } from "../../judge/comparison-json.ts";
import { releaseOf } from "../../model/attempt-words.ts";
import { renderMatrix, type MatrixCell } from "../test/matrix.ts";
import { paint, type Tone } from "../test/tone.ts";
import type { CellSide } from "./plan-cells.ts";
import type { ComparedCell, RanCells } from "./run-cells.ts";

const WORDS: Readonly<Record<CompareVerdict, readonly [word: string, tone: Tone]>> = {
  "newly-broken": ["BROKEN", "bad"],
  fixed: ["fixed", "good"],
  "changed-failure": ["changed", "neutral"],
  unchanged: ["same", "neutral"],
  incomparable: ["incomparable", "neutral"],
};

/** The published form of a comparison (docs/compare.md). @param told where it is kept, and when it ended. */
export function comparisonJson(
  { a, b, change }: Sides,
  { compared, left }: Pick<RanCells, "compared" | "left">,
  told: Pick<ComparisonJson, "id" | "endedAt"> = { id: null, endedAt: null },
): ComparisonJson {
  const count = (verdict: CompareVerdict) =>
    compared.filter((one) => one.compared.verdict === verdict).length;
  return {
    schema: 1,
    a,
    b,
    changes: change.kind,
    counts: {
      "newly-broken": count("newly-broken"),
      fixed: count("fixed"),
      "changed-failure": count("changed-failure"),
      unchanged: count("unchanged"),
      incomparable: count("incomparable"),
    },
    compared: compared.map((one) => comparedJson(one, change)),
    left,
    ...told,
    changed: change.kind === "release" ? change.project : null,
  };
}

function comparedJson(one: ComparedCell, change: Change): ComparedJson {
  const { cell, from, compared } = one;
  const { project, version, source } = namesOf(one);
  const side = ({ configuration, image }: CellSide, runs: readonly SideRun[]) => ({
    configuration,
    image,
    runs: runs.map((run) => runJson(run, change)),
  });
  return {
    project,
    version,
    source,
    from,
    startedAt: one.startedAt,
    verdict: compared.verdict,
    exercised: compared.exercised,
    confidence: compared.confidence,
    why: [...compared.why],
    tests: { broken: [...compared.tests.broken], fixed: [...compared.tests.fixed] },
    moved: [...compared.moved],
    farmFault: compared.farmFault,
    a: side(cell.a, one.a),
    b: side(cell.b, one.b),
  };
}

/** A tree says its name and version when it is built. */
function namesOf({
  cell,
  a,
  b,
}: ComparedCell): Pick<ComparedJson, "project" | "version" | "source"> {
  const known = [...b, ...a].find(({ attempt }) => attempt.version !== "")?.attempt;
  const { kind, sha256, project, version } = cell.source;
  return {
    project: known?.project ?? project,
    version: known?.version ?? version,
    source: { kind, sha256 },
  };
}

function runJson({ attempt }: SideRun, change: Change): RunJson {
  const { id, phase, outcome, cause, confidence, tests, evidence } = attempt;
  const used = (evidence.overlay?.used ?? []).filter(
    ({ project }) => change.kind === "release" && project === change.project,
  );
  return { id, phase, outcome, cause, confidence, tests, used };
}

export interface Look {
  readonly colour: boolean;
  /** Of the terminal; absent where the output is none. */
  readonly columns?: number;
}

/** Table, what is worth a word below it, and the counts; whole lines. */
export function renderComparison(comparison: ComparisonJson, look: Look): string {
  const { a, b, compared, left, id } = comparison;
  const matrix = renderMatrix(compared.map(cellOf), look);
  const details = compared
    .filter((one) => one.verdict !== "unchanged")
    .toSorted((one, other) => VERDICTS.indexOf(one.verdict) - VERDICTS.indexOf(other.verdict))
    .flatMap((one) => detailLines(one, look.colour));
  return [
    `A: ${a}\nB: ${b}\n\n`,
    matrix,
    ...(details.length === 0 ? [] : ["\n", ...details.map((line) => `${line}\n`)]),
    `\n${countsLine(comparison)}${left > 0 ? `; ${left} did not come to an end` : ""}\n`,
    ...(id === null ? [] : [`kept as ${id}: /compare/${id} of the farm's pages\n`]),
  ].join("");
}

function cellOf(one: ComparedJson): MatrixCell {
  const [word, tone] = WORDS[one.verdict];
  return {
    row: nameOf(one),
    column: columnOf(one),
    word,
    detail: one.why[0] ?? "",
    tone,
  };
}

function nameOf({ project, version }: ComparedJson): string {
  return releaseOf({ project, version });
}

function columnOf({ a, b }: ComparedJson): string {
  return a.configuration === b.configuration
    ? a.configuration
    : `${a.configuration} → ${b.configuration}`;
}

function detailLines(one: ComparedJson, colour: boolean): string[] {
  const [word, tone] = WORDS[one.verdict];
  const used = usedLine(one);
  const ids = (runs: readonly RunJson[]) => runs.map(({ id }) => id).join(" ");
  const below = [
    ...one.why,
    ...(used === "" ? [] : [used]),
    ...(one.moved.length === 0 || one.verdict === "incomparable"
      ? []
      : [`moved besides: ${listed(one.moved)}`]),
    ...(one.b.runs.length === 0
      ? []
      : [
          `attempts: A ${ids(one.a.runs)}, B ${ids(one.b.runs)}; again: ./creamery reproduce ${one.b.runs[0]?.id ?? ""}`,
        ]),
  ];
  const built = one.from === "sdist" ? ", built from its sdist" : "";
  return [
    `${printableLine(`${nameOf(one)} ${columnOf(one)}`)}: ${paint(word, tone, colour)}${one.confidence === "unconfirmed" ? "" : `, ${printableLine(one.confidence)}`}${built}`,
    ...below.map((line) => `  ${printableLine(line)}`),
  ];
}

/** Which release was really used on each side, where that is what changes. */
function usedLine({ a, b }: ComparedJson): string {
  const tell = (name: string, { runs }: ComparedJson["a"]): string[] => {
    const uses = runs.at(-1)?.used ?? [];
    return uses.map(({ project, installed, served }) => {
      const at = [
        ...(installed === null ? [] : [`${installed} installed`]),
        ...(served.length === 0 ? [] : [`${served.join(", ")} given by the index`]),
      ];
      return `${name} ${project} ${at.length === 0 ? "none" : at.join(", ")}`;
    });
  };
  const told = [...tell("A", a), ...tell("B", b)];
  return told.length === 0 ? "" : `used: ${told.join("; ")}`;
}

const MAX_LISTED = 5;

function listed(items: readonly string[]): string {
  const rest = items.length - MAX_LISTED;
  return `${items.slice(0, MAX_LISTED).join(", ")}${rest > 0 ? `, and ${rest} more` : ""}`;
}

function countsLine({ counts }: ComparisonJson): string {
  return VERDICTS.map((verdict) => `${counts[verdict]} ${verdict}`).join(", ");
}

/**
 * The exit code of `creamery compare`: 1 when something is newly broken; else 3 where the farm gave no verdict somewhere,
 * or nothing was compared at all; else 0.
 */
export function exitCodeOfComparison({ counts, compared }: ComparisonJson): 0 | 1 | 3 {
  if (counts["newly-broken"] > 0) return 1;
  return compared.length === 0 || compared.some(({ farmFault }) => farmFault) ? 3 : 0;
}
