import { z } from "zod";

import type { Plan } from "../discovery/plan.ts";
import { SourceOrigin } from "../index/lock/source-origin.ts";
import type { AttemptJob, HostFile, ResolvedSource, TestTree } from "./attempt-job.ts";
import { sourceKey } from "./bucket-keys.ts";
import type { AttemptFacts } from "./run-attempt.ts";

/**
 * What is needed to run an attempt once more, beside the index's record: same image, same lock, same plan. Kept in the bucket beside its
 * log, and read back by `creamery reproduce`.
 */

const Strings = z.array(z.string());
const PlanJson = z.object({
  rung: z.string(),
  runner: z.enum(["pytest", "unittest", "custom"]),
  argv: Strings,
  cwd: z.string(),
  env: z.record(z.string(), z.string()),
  dependencies: z.array(
    z.object({ from: z.string(), requirements: Strings, optional: z.boolean() }),
  ),
  replaceByInstalled: Strings,
  pythonPath: Strings,
  expectedAtLeast: z.number(),
  rejected: z.array(z.object({ rung: z.string(), why: z.string() })),
});

const KeptFile = z.object({
  filename: z.string(),
  sha256: z.string(),
  /** Key in the bucket; null for a file that the index keeps. */
  key: z.string().nullable(),
});
export type KeptFile = z.infer<typeof KeptFile>;

export const AgainJson = z.object({
  schema: z.literal(1),
  configuration: z.string(),
  image: z.string(),
  machine: z.enum(["qemu", "gvisor", "container"]),
  buildFrom: z.enum(["auto", "sdist"]),
  limits: z.object({
    installMs: z.number(),
    buildMs: z.number(),
    testMs: z.number(),
    silenceMs: z.number(),
    outputBytes: z.number(),
    memoryBytes: z.number(),
    diskBytes: z.number(),
    pids: z.number(),
    cpuSeconds: z.number(),
  }),
  source: z.object({
    kind: z.enum(["release", "repository", "tree", "sdist", "wheel"]),
    project: z.string(),
    version: z.string(),
    extras: Strings,
    sourceFile: KeptFile.nullable(),
    wheelFile: KeptFile.nullable(),
    wheelNames: Strings,
    requiresPython: z.string().nullable(),
    yanked: z.string().nullable(),
    sha256: z.string(),
    origin: SourceOrigin.optional(),
    label: z.string(),
  }),
  /** Null where no tests were run. */
  plan: PlanJson.nullable(),
  only: Strings,
  /** Nothing was to be looked for that could be run as a test. */
  smokeOnly: z.boolean().optional(),
  /** The repository's tree that the tests are of, which its mirror holds; absent where they are the source's own. */
  tests: z
    .object({
      rung: z.string(),
      url: z.string(),
      commit: z.string(),
      directory: z.string(),
      /** Of the tree's archive. */
      sha256: z.string(),
    })
    .optional(),
  /** What an experiment gave it otherwise; absent where it was given nothing. */
  overlay: z
    .object({
      releases: z.array(
        z.object({ project: z.string(), version: z.string(), wheel: KeptFile.nullable() }),
      ),
      before: z.string().nullable(),
      env: z.record(z.string(), z.string()),
      watch: Strings,
    })
    .optional(),
});
export type AgainJson = z.infer<typeof AgainJson>;

/** @param keyOf where in the bucket a file of a person's own was put; null for files of the index. */
export function againJson(
  job: AttemptJob,
  facts: AttemptFacts,
  machine: AgainJson["machine"],
  keyOf: (sha256: string) => string | null,
): AgainJson {
  const { source, limits, overlay } = job;
  const kept = (file: ResolvedSource["sourceFile"]): KeptFile | null =>
    file === null
      ? null
      : { filename: file.filename, sha256: file.sha256, key: keyOf(file.sha256) };
  const plan = facts.tests?.best?.plan ?? job.settled?.plan ?? null;
  return {
    schema: 1,
    configuration: job.configuration,
    image: job.imageId,
    machine,
    buildFrom: job.buildFrom,
    limits: { ...limits },
    source: {
      ...source,
      extras: [...source.extras],
      wheelNames: [...source.wheelNames],
      sourceFile: kept(source.sourceFile),
      wheelFile: kept(source.wheelFile),
    },
    plan: plan === null ? null : planJson(plan),
    only: [...(job.settled?.only ?? [])],
    ...(job.smokeOnly === true ? { smokeOnly: true } : {}),
    ...(facts.testsFrom === null ? {} : { tests: testsJson(facts.testsFrom) }),
    ...(overlay === undefined
      ? {}
      : {
          overlay: {
            releases: overlay.releases.map(({ project, version, wheel }) => ({
              project,
              version,
              // No index has it: the bucket does.
              wheel: wheel === null ? null : keptWheel(wheel),
            })),
            before: overlay.before,
            env: { ...overlay.env },
            watch: [...overlay.watch],
          },
        }),
  };
}

function keptWheel({ filename, sha256 }: HostFile): KeptFile {
  return { filename, sha256, key: sourceKey(sha256) };
}

function testsJson({ rung, url, commit, directory, file }: TestTree): AgainJson["tests"] {
  return { rung, url, commit, directory, sha256: file.sha256 };
}

function planJson(plan: Plan): z.infer<typeof PlanJson> {
  return {
    ...plan,
    argv: [...plan.argv],
    env: { ...plan.env },
    dependencies: plan.dependencies.map((step) => ({
      ...step,
      requirements: [...step.requirements],
    })),
    replaceByInstalled: [...plan.replaceByInstalled],
    pythonPath: [...plan.pythonPath],
    rejected: plan.rejected.map((row) => ({ ...row })),
  };
}
