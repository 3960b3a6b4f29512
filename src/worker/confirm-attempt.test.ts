import { expect, test } from "vitest";

import type { Plan } from "../discovery/plan.ts";
import type { MachineKind, TestOutcome } from "../model/attempt.ts";
import { classify } from "../model/classify.ts";
import { sampleReport } from "../model/evidence.sample.ts";
import type { AttemptJob } from "./attempt-job.ts";
import { sampleJob, sampleMachine } from "./attempt-job.sample.ts";
import { confirmAttempt } from "./confirm-attempt.ts";
import { evidenceOf, excludedFacts, faultyFacts } from "./evidence-of.ts";
import type { AttemptFacts } from "./run-attempt.ts";

const plan: Plan = {
  rung: "B1+C1",
  runner: "pytest",
  argv: ["{python}", "-m", "pytest"],
  cwd: "",
  env: {},
  dependencies: [],
  replaceByInstalled: [],
  pythonPath: [],
  expectedAtLeast: 2,
  rejected: [],
};

const job = sampleJob("first");

/** Facts of a run of tests `t0`, `t1`, … with these outcomes; of those that failed by themselves where they are given. */
function factsOf(
  outcomes: readonly TestOutcome[],
  aloneOutcomes: readonly TestOutcome[] | null = null,
  clean = true,
): AttemptFacts {
  const ran = (all: readonly TestOutcome[]) => ({
    report: sampleReport(all),
    result: {
      step: "test",
      phase: "test" as const,
      argv: [],
      text: "",
      ok: true,
      code: all.some((outcome) => outcome === "failed") ? 1 : 0,
      signal: null,
      limit: null,
      seconds: 1,
      outputBytes: 0,
    },
  });
  return {
    ...excludedFacts(),
    phase: "test",
    discovery: { kind: "plans", plans: [plan] },
    tests: {
      best: { plan, argv: [], repairs: [], lackingFiles: [], ...ran(outcomes) },
      alone: aloneOutcomes === null ? null : { ...ran(aloneOutcomes), clean },
      failedStep: null,
      rejected: [],
    },
  };
}

const FAILED = factsOf(["failed", "failed"]);
const PASSED = factsOf(["passed", "passed"]);

/** Confirms a failure on gvisor, with what each later run gives; returns that and where they ran. */
async function confirmed(
  first: AttemptFacts,
  later: readonly AttemptFacts[],
  confirming: MachineKind | null = "container",
) {
  const jobs: AttemptJob[] = [];
  const kinds: MachineKind[] = [];
  const result = await confirmAttempt(job, first, classify(evidenceOf(job, first)), {
    first: sampleMachine("gvisor"),
    confirming: confirming === null ? null : sampleMachine(confirming),
    newId: () => `run-${jobs.length + 2}`,
    run: (one, { kind }) => {
      jobs.push(one);
      kinds.push(kind);
      return Promise.resolve(later[jobs.length - 1] ?? faultyFacts("one run too many"));
    },
  });
  const { verdict, differing, runs } = result;
  return {
    cause: verdict.cause?.kind,
    confidence: verdict.confidence,
    differing,
    kinds,
    jobs,
    runs: runs.map(({ job: { attemptId }, machine }) => `${attemptId} ${machine}`),
  };
}

test("what passes elsewhere is run once more on its own kind: failing again, it is the machine", async () => {
  const { jobs, ...said } = await confirmed(FAILED, [PASSED, FAILED]);
  expect(said).toEqual({
    cause: "machine-difference",
    confidence: { kind: "confirmed", agreed: 3, runs: 3 },
    differing: ["t0", "t1"],
    kinds: ["container", "gvisor"],
    runs: ["run-2 container", "run-3 gvisor"],
  });
  expect(jobs.map(({ settled }) => settled?.only)).toEqual([
    ["t0", "t1"],
    ["t0", "t1"],
  ]);
});

test("a failure that comes of the tests before it passes there too, and is no difference of machines", async () => {
  expect(await confirmed(FAILED, [PASSED, PASSED])).toMatchObject({
    cause: "test-failure",
    confidence: { kind: "flaky" },
    differing: [],
    kinds: ["container", "gvisor"],
  });
});

test("what the first guest said of the same tests by themselves needs no third one", async () => {
  const alone = factsOf(["failed", "failed"], ["passed", "passed"]);
  expect(await confirmed(alone, [PASSED])).toMatchObject({
    cause: "test-failure",
    confidence: { kind: "flaky" },
    kinds: ["container"],
  });
});

test("what failed among files that others left needs a fresh guest to say what it is", async () => {
  const among = factsOf(["failed", "failed"], ["failed", "failed"], false);
  expect(await confirmed(among, [PASSED, PASSED])).toMatchObject({
    confidence: { kind: "flaky" },
    kinds: ["container", "gvisor"],
  });
  const clean = factsOf(["failed", "failed"], ["failed", "failed"], true);
  expect(await confirmed(clean, [PASSED])).toMatchObject({
    cause: "machine-difference",
    kinds: ["container"],
  });
});

test("what fails again is confirmed by that alone", async () => {
  expect(await confirmed(FAILED, [FAILED])).toMatchObject({
    cause: "test-failure",
    confidence: { kind: "confirmed", agreed: 2, runs: 2 },
    kinds: ["container"],
  });
});

test("what fails on both kinds is confirmed although another test differs", async () => {
  const one = factsOf(["failed", "passed"]);
  expect(await confirmed(FAILED, [one, FAILED])).toMatchObject({
    cause: "test-failure",
    confidence: { kind: "confirmed", agreed: 3, runs: 3 },
    differing: ["t1"],
  });
});

test("a run that the farm failed explains and confirms nothing", async () => {
  const unconfirmed = { cause: "test-failure", confidence: { kind: "unconfirmed" } };
  expect(await confirmed(FAILED, [faultyFacts("gone")])).toMatchObject(unconfirmed);
  expect(await confirmed(FAILED, [PASSED, faultyFacts("gone")])).toMatchObject(unconfirmed);
});

test("on the same kind the second run says it all, and without a machine there is none", async () => {
  expect(await confirmed(FAILED, [PASSED], "gvisor")).toMatchObject({
    confidence: { kind: "flaky" },
    kinds: ["gvisor"],
  });
  expect(await confirmed(FAILED, [], null)).toMatchObject({ kinds: [], runs: [] });
});
