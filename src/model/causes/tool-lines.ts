import { normaliseName } from "../../python/names.ts";
import type { StepEvidence } from "../evidence.ts";

/**
 * Which words of a step's output are the installer's own. Both show what a build printed only with a failure of that
 * build, further in than their own lines; `uv build` alone lets it through as it comes, before its own last error.
 */

const OWN_LINE = /^(?:error: |ERROR: |WARNING: Retrying |  cause: |(?: {2})?(?:×|├─▶|╰─▶) )/;

const INDEX_FAILED =
  /Failed to fetch: \S|HTTP status server error \(5\d\d|error sending request for url|Request failed after \d{1,3} retries|HTTPError: 5\d\d|HTTP error 5\d\d|: 5\d\d Server Error|[Cc]onnection broken|ReadTimeoutError|NewConnectionError/;

/** Whether a build of anything ran in this step and failed: a package may have written whatever stands in its text. */
export function ranBuild({ text }: StepEvidence): boolean {
  if (
    /build backend returned an error|Failed building wheel|metadata-generation-failed/.test(text)
  ) {
    return true;
  }
  return (
    /subprocess-exited-with-error|Command errored out|error: subprocess/.test(text) &&
    !buildRequirementsFailed(text)
  );
}

/** Whether what failed could not be fetched from the index, in the installer's own words. */
export function saysIndexFailed(step: StepEvidence): boolean {
  if (ranBuild(step)) return false;
  const last = step.phase === "build" ? step.text.lastIndexOf("\nerror: ") + 1 : 0;
  const lines = step.text.slice(last).split("\n");
  // pip shows what its own second process said as it shows a build's output.
  const nested = buildRequirementsFailed(step.text);
  return lines.some((line) => {
    const own = nested ? line.trimStart() : line;
    return OWN_LINE.test(own) && INDEX_FAILED.test(own);
  });
}

/** The installer's own word for a release whose own `Requires-Python` leaves the interpreter out. */
export function saysExcluded(step: StepEvidence, project: string): boolean {
  if (step.phase === "build" || ranBuild(step)) return false;
  const { text } = step;
  const pip = /^ERROR: Package '([\w.-]{1,100})' requires a different Python/m.exec(text);
  const unsolved = /^(?: {2}× |error: )No solution found/m.exec(text);
  const uv =
    unsolved === null
      ? null
      : /Because ([\w.-]{1,100})==\S{1,100} requires Python |does not satisfy Python\S{0,100} and ([\w.-]{1,100})==\S{1,100} depends on Python/.exec(
          text.slice(unsolved.index).replaceAll(/\s+/g, " "),
        );
  const named = pip?.[1] ?? uv?.[1] ?? uv?.[2];
  return named !== undefined && normaliseName(named) === normaliseName(project);
}

/** pip starts itself once more for what a build requires: no backend has run by then. */
function buildRequirementsFailed(text: string): boolean {
  const said = [...text.matchAll(/^× ([^\n]{0,200})/gm)].at(-1)?.[1];
  if (said !== undefined) return said.startsWith("pip subprocess to install build dependencies");
  const command = [...text.matchAll(/^ERROR: Command errored out([^\n]{0,500})/gm)].at(-1)?.[1];
  return command !== undefined && /\/pip'? install /.test(command);
}
