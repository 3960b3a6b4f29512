import { z } from "zod";

import { OUTCOMES, PHASES } from "./attempt.ts";
import { Axes } from "./axes.ts";
import { OverlayEvidence } from "./overlay.ts";
import { parseCause, parseConfidence } from "./result-words.ts";

/**
 * What `--json` prints and what the store keeps of an attempt: schema 1, published as
 * docs/result.schema.json. Fields are added within a schema's number, never changed or taken away.
 */

const count = z.number().int().nonnegative();
const seconds = z.number().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const CauseText = z
  .string()
  .refine((text) => parseCause(text) !== null, "no cause of the closed list")
  .describe(
    "One of the closed list in docs/results.md, with its detail: `timeout`, `dependency-build(cffi)`",
  );

const ConfidenceText = z
  .string()
  .refine((text) => parseConfidence(text) !== null, "no confidence")
  .describe("`confirmed(2/2)`, `flaky`, `unconfirmed` or `inferred`");

export const TestCountsJson = z.object({
  collected: count.describe(
    "What ran or was skipped, xfail and xpass included; not what was deselected",
  ),
  passed: count,
  failed: count,
  errors: count,
  skipped: count,
  deselected: count,
});

export const EvidenceJson = z.object({
  firstLines: z
    .array(z.string())
    .describe("The few lines of the log that matter, control characters made visible"),
  failing: z
    .array(z.object({ id: z.string(), outcome: z.enum(["failed", "error"]), message: z.string() }))
    .describe("The first tests that did not pass; all are in the report"),
  differing: z
    .array(z.string())
    .describe("Tests that failed here and passed on the machine kind that confirmed"),
  contradictions: z.array(z.string()).describe("Why the report was not believed"),
  repairs: z.array(z.string()).describe("What was changed to make the tests run"),
  refused: z.array(z.object({ target: z.string(), kind: z.enum(["dns", "connect"]), count })),
  attempts: z.array(z.string()).describe("Attempted writes outside of the job's own directories"),
  limits: z
    .object({
      memoryPeakBytes: count,
      oomKills: count,
      pidsRefused: count,
      cpuSeconds: seconds,
      diskBytes: count,
      diskFull: z.boolean(),
    })
    .nullable(),
  installedPath: z.string().nullable().describe("Where the tested package was imported from"),
  smoke: z.array(
    z.object({ what: z.enum(["import", "script", "check"]), name: z.string(), text: z.string() }),
  ),
  gaps: z
    .array(z.string())
    // Attempts of before this field were kept without it.
    .default([])
    .describe("Modules of its version's standard library that this build of the interpreter lacks"),
  lock: z
    .string()
    .nullable()
    .describe(
      "Where the pylock.toml (PEP 751) of what the index gave is kept: a path, or an s3:// address",
    ),
  buildLock: z
    .string()
    .optional()
    .describe(
      "Where the pylock.build.toml (PEP 751) of what isolated build environments were given is kept; absent where they were given nothing",
    ),
  overlay: OverlayEvidence.optional().describe(
    "What an experiment gave it otherwise, and what became of that; absent where it was given nothing",
  ),
});

export const AttemptJson = z.object({
  id: z.string().min(1),
  project: z.string().min(1),
  version: z.string(),
  source: z.object({ kind: z.enum(["release", "repository", "tree", "sdist", "wheel"]), sha256 }),
  configuration: z.string(),
  image: z.string(),
  machine: z.enum(["qemu", "gvisor", "container"]),
  installed: z
    .enum(["wheel", "sdist"])
    .nullable()
    .describe("What was installed: a published or given wheel, or one built here from the source"),
  plan: z.object({
    rung: z.string().nullable(),
    command: z.string().nullable(),
    rejected: z.array(z.object({ rung: z.string(), why: z.string() })),
  }),
  phase: z.enum(PHASES).describe("The phase that decided the result"),
  outcome: z.enum(OUTCOMES),
  cause: CauseText.nullable().describe("Null on `pass` and only there"),
  confidence: ConfidenceText,
  comparison: z
    .enum([
      "new-fail",
      "fixed",
      "still-fail",
      "still-pass",
      "changed-cause",
      "new",
      "removed",
      "incomparable",
    ])
    .nullable(),
  smoke: z
    .enum(["pass", "fail"])
    .nullable()
    .describe("Installed, imported, console scripts answered; never counted as tests"),
  tests: TestCountsJson.nullable(),
  seconds: z.record(z.string(), seconds).describe("By phase, with `farm` and `total`"),
  axes: Axes,
  evidence: EvidenceJson,
  log: z
    .string()
    .nullable()
    .describe("Where the whole log is kept, packed with gzip: a path, or an s3:// address"),
  report: z
    .string()
    .nullable()
    .describe(
      "Where the tests' results are kept, each test by its id, packed with gzip: a path, or an s3:// address",
    ),
  why: z
    .string()
    .max(300)
    .optional()
    .describe(
      "Why it was tested again without a release of its own: `numpy 2.4 is new`; absent elsewhere",
    ),
});
export type AttemptJson = z.infer<typeof AttemptJson>;

export const MissingCellJson = z.object({
  project: z.string().min(1),
  version: z.string(),
  source: AttemptJson.shape.source,
  configuration: z.string(),
  image: z.string(),
  reason: z.string().describe("Why the image was made without this interpreter"),
  nextStep: z.string(),
});
export type MissingCellJson = z.infer<typeof MissingCellJson>;

export const ResultJson = z.object({
  schema: z.literal(1),
  attempts: z.array(AttemptJson),
  missing: z
    .array(MissingCellJson)
    .default([])
    .describe("What was asked for and could not be run: the image lacks the interpreter"),
});
export type ResultJson = z.infer<typeof ResultJson>;

/** The published JSON Schema of `ResultJson`. */
export function resultJsonSchema(): unknown {
  return {
    ...z.toJSONSchema(ResultJson, { io: "output" }),
    title: "What `creamery test --json` prints",
  };
}
