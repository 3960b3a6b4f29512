import { z } from "zod";

import { OUTCOMES } from "../model/attempt.ts";
import { causeWords } from "../model/cause-words.ts";
import { CHANGE_KINDS } from "../model/settle-verdict.ts";

/** What is told of, as it lies in the store until it is delivered: the same each time that it is tried. */

const attempt = z.string().min(1);
const cause = z.string().nullable();

/** A release, or a branch, fails on a configuration where it passed, passes again, or fails for another reason. */
export const ChangeNotice = z.strictObject({
  about: z.literal("change"),
  project: z.string(),
  version: z.string(),
  /** `refs/heads/main` where a push was tested; empty for a release. */
  line: z.string(),
  configuration: z.string(),
  kind: z.enum(CHANGE_KINDS),
  outcome: z.enum(OUTCOMES),
  cause,
  /** What people group it by: `cffi`, `numpy 2.4`, the project itself. */
  root: z.string(),
  attempt,
  before: z.strictObject({ attempt, version: z.string() }),
  atMs: z.number(),
});
export type ChangeNotice = z.infer<typeof ChangeNotice>;

/** What came of one commit on one configuration. */
export const CommitNotice = z.strictObject({
  about: z.literal("commit"),
  project: z.string(),
  /** Hexadecimal, 40 or 64 digits. */
  commit: z.string(),
  line: z.string(),
  configuration: z.string(),
  outcome: z.enum(OUTCOMES),
  cause,
  tests: z.object({ passed: z.number(), failed: z.number(), errors: z.number() }).nullable(),
  attempt,
  startedMs: z.number(),
  endedMs: z.number(),
});
export type CommitNotice = z.infer<typeof CommitNotice>;

export const Notice = z.discriminatedUnion("about", [ChangeNotice, CommitNotice]);
export type Notice = z.infer<typeof Notice>;

/** One sentence for a person, without its full stop; of a package's words only what is bounded and printable. */
export function sentenceOf(notice: ChangeNotice): string {
  const { project, version, line, configuration, before } = notice;
  const what = `${project} ${line === "" ? version : `${version} (${branchOf(line)})`}`;
  const why = notice.cause === null ? "" : `: ${causeWords(notice.cause).text}`;
  const since = before.version === version ? "" : `; ${before.version} passed`;
  switch (notice.kind) {
    case "broke":
      return `${what} fails on ${configuration}${why}${since}`;
    case "fixed":
      return `${what} passes on ${configuration} again`;
    case "changed":
      return `${what} fails on ${configuration} for another reason${why}`;
  }
}

/** The same of a commit, whose name stands beside it wherever it is shown. */
export function commitSentenceOf({ outcome, cause: text, tests }: CommitNotice): string {
  if (outcome === "pass") return tests === null ? "passes" : `${counted(tests.passed)} pass`;
  const why = text === null ? outcome : causeWords(text).text;
  const failed = (tests?.failed ?? 0) + (tests?.errors ?? 0);
  if (failed === 0) return why;
  const how = `${failed} of ${counted(failed + (tests?.passed ?? 0))} fail`;
  return text === "test-failure" ? how : `${how}: ${why}`;
}

/** `main` of `refs/heads/main`. */
export function branchOf(line: string): string {
  return line.replace(/^refs\/(?:heads|tags)\//u, "");
}

function counted(tests: number): string {
  return tests === 1 ? "1 test" : `${tests} tests`;
}
