import { Secret } from "../base/secret.ts";
import type { ChangeNotice, CommitNotice } from "./change-notice.ts";
import type { Outgoing } from "./ask.ts";

/** Notices of a project `hello`, for tests. */

export const SAMPLE_MS = Date.UTC(2026, 10, 24, 10);

export function sampleChange(change: Partial<ChangeNotice> = {}): ChangeNotice {
  return {
    about: "change",
    project: "hello",
    version: "1.1",
    line: "",
    configuration: "cpython-3.15",
    kind: "broke",
    outcome: "fail",
    cause: "removed-api(distutils)",
    root: "removed-api(distutils)",
    attempt: "a2",
    before: { attempt: "a1", version: "1.0" },
    atMs: SAMPLE_MS,
    ...change,
  };
}

export function sampleCommit(change: Partial<CommitNotice> = {}): CommitNotice {
  return {
    about: "commit",
    project: "hello",
    commit: "a".repeat(40),
    line: "refs/heads/main",
    configuration: "cpython-3.15",
    outcome: "fail",
    cause: "test-failure",
    tests: { passed: 117, failed: 2, errors: 1 },
    attempt: "a2",
    startedMs: SAMPLE_MS - 60_000,
    endedMs: SAMPLE_MS,
    ...change,
  };
}

/** To servers of the test's own. */
export function outgoingTo(ca: string): Outgoing {
  return { allow: ["127.0.0.1"], ca: () => Promise.resolve(ca) };
}

export const secretly = (text: string) => () => Promise.resolve(new Secret(text));

export const sampleUrl = (attempt: string): string => `https://farm.example/a/${attempt}`;
