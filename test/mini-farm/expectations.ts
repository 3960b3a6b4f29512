import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { parse } from "smol-toml";
import { z } from "zod";

import { LimitsTable } from "../../src/model/config/limits.ts";
import type { AttemptJson } from "../../src/model/result-json.ts";

/**
 * What `farm.toml` beside a project's sources says: how it is published, how it is tested, and what its result must
 * be. Strict: a misspelt key is an expectation that nobody would ever see fail.
 */

/** TOML has no null: the word `none` stands for it. */
const nullable = z.union([z.literal("none"), z.string()]);
const count = z.number().int().nonnegative();
/** `some`: at least one; `none`: not one. */
const presence = z.enum(["some", "none"]);

const Expectation = z.strictObject({
  phase: z.string(),
  outcome: z.string(),
  cause: nullable,
  confidence: z.string(),
  smoke: nullable,
  installed: nullable,
  plan: z.strictObject({ rung: nullable }).optional(),
  tests: z
    .union([
      z.literal("none"),
      z.strictObject({
        collected: count.optional(),
        passed: count.optional(),
        failed: count.optional(),
        errors: count.optional(),
        skipped: count.optional(),
        deselected: count.optional(),
      }),
    ])
    .optional(),
  evidence: z
    .strictObject({
      /** Ids, all of them, in any order. */
      failing: z.array(z.string()).optional(),
      differing: z.array(z.string()).optional(),
      /** Texts that one entry each must contain. An empty list: there is no entry. */
      firstLines: z.array(z.string()).optional(),
      repairs: z.array(z.string()).optional(),
      attempts: z.array(z.string()).optional(),
      /** Targets that must be among the refused ones. */
      refused: z.array(z.string()).optional(),
      contradictions: presence.optional(),
      /** Whether the counter counted anything. */
      limits: z
        .strictObject({
          oomKills: z.boolean().optional(),
          pidsRefused: z.boolean().optional(),
          diskFull: z.boolean().optional(),
        })
        .optional(),
    })
    .optional(),
});
export type Expectation = z.infer<typeof Expectation>;

const FarmToml = z.strictObject({
  summary: z.string().min(1),
  versions: z.array(z.string()).min(1).default(["1.0"]),
  publish: z
    .array(z.enum(["sdist", "wheel"]))
    .min(1)
    .default(["sdist", "wheel"]),
  requires: z.array(z.string()).default([]),
  requires_python: z.string().optional(),
  yanked: z.string().optional(),
  wheel_tag: z.string().default("py2.py3-none-any"),
  /** Paths that the wheel has and the sdist has not. */
  sdist_without: z.array(z.string()).default([]),
  /** Files with names that no repository should hold. */
  extra_files: z.record(z.string(), z.string()).default({}),
  on: z.array(z.string()).min(1).default(["cpython-3.13"]),
  /** Besides, where the longer forms of tests are asked for. */
  on_full: z.array(z.string()).default([]),
  /** On the first of `on` in virtual machines too; where the longer forms of tests are asked for, all projects are. */
  on_qemu: z.boolean().default(false),
  /** `--from` of the command line. */
  from: z.enum(["auto", "sdist"]).default("auto"),
  /** The operator's limits for it, in creamery.toml. */
  limits: LimitsTable.optional(),
  /** What there is only for others to depend on has none. */
  expect: Expectation.optional(),
  /** What is otherwise in virtual machines, for a reason that docs/machines.md gives. */
  expect_on_qemu: Expectation.partial().optional(),
});
export type FarmToml = z.infer<typeof FarmToml>;

export interface FarmProject {
  /** `creamery-farm-` and the directory's name. */
  readonly name: string;
  readonly directory: string;
  readonly farm: FarmToml;
}

/** A project that is tested. */
export interface TestedProject extends FarmProject {
  readonly expected: Expectation;
}

const NAME_PREFIX = "creamery-farm-";

/** @throws ZodError, TomlError: a project of ours is wrong. */
export function readProjects(parent: "projects" | "dependencies"): FarmProject[] {
  const root = join(import.meta.dirname, parent);
  return readdirSync(root)
    .toSorted()
    .map((directory) => {
      const path = join(root, directory);
      const farm = parseFarmToml(readFileSync(join(path, "farm.toml"), "utf8"), directory);
      return { name: `${NAME_PREFIX}${directory}`, directory: path, farm };
    });
}

export function testedProjects(): TestedProject[] {
  return readProjects("projects").map((project) => {
    const expected = project.farm.expect;
    if (expected === undefined) throw new Error(`${project.name} expects nothing`);
    return { ...project, expected };
  });
}

/** What its result must be in a virtual machine. */
export function expectedOnQemu({ expected, farm }: TestedProject): Expectation {
  const { evidence, ...fields } = farm.expect_on_qemu ?? {};
  return {
    ...expected,
    ...Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)),
    ...(evidence === undefined ? {} : { evidence: { ...expected.evidence, ...evidence } }),
  };
}

/** @param name for the message. */
export function parseFarmToml(text: string, name: string): FarmToml {
  const parsed = FarmToml.safeParse(parse(text));
  if (parsed.success) return parsed.data;
  throw new Error(`${name}/farm.toml: ${z.prettifyError(parsed.error)}`);
}

/** What differs, a line each: `tests.passed: expected 2, got 1`. Empty where all is as expected. */
export function differences(expected: Expectation, attempt: AttemptJson): string[] {
  const { plan, tests, evidence = {}, ...words } = expected;
  const wanted: [path: string, expected: unknown, got: unknown][] = [
    ["phase", words.phase, attempt.phase],
    ["outcome", words.outcome, attempt.outcome],
    ["cause", words.cause, attempt.cause ?? "none"],
    ["confidence", words.confidence, attempt.confidence],
    ["smoke", words.smoke, attempt.smoke ?? "none"],
    ["installed", words.installed, attempt.installed ?? "none"],
    ["plan.rung", plan?.rung, attempt.plan.rung ?? "none"],
  ];
  if (tests === "none") wanted.push(["tests", tests, attempt.tests ?? "none"]);
  else {
    const { tests: got } = attempt;
    wanted.push(
      ["tests.collected", tests?.collected, got?.collected],
      ["tests.passed", tests?.passed, got?.passed],
      ["tests.failed", tests?.failed, got?.failed],
      ["tests.errors", tests?.errors, got?.errors],
      ["tests.skipped", tests?.skipped, got?.skipped],
      ["tests.deselected", tests?.deselected, got?.deselected],
    );
  }
  const { limits } = attempt.evidence;
  wanted.push(
    [
      "evidence.failing",
      evidence.failing?.toSorted(),
      attempt.evidence.failing.map(({ id }) => id).toSorted(),
    ],
    ["evidence.differing", evidence.differing?.toSorted(), attempt.evidence.differing.toSorted()],
    [
      "evidence.contradictions",
      evidence.contradictions,
      attempt.evidence.contradictions.length > 0 ? "some" : "none",
    ],
    [
      "evidence.limits.oomKills",
      evidence.limits?.oomKills,
      limits === null ? null : limits.oomKills > 0,
    ],
    [
      "evidence.limits.pidsRefused",
      evidence.limits?.pidsRefused,
      limits === null ? null : limits.pidsRefused > 0,
    ],
    [
      "evidence.limits.diskFull",
      evidence.limits?.diskFull,
      limits === null ? null : limits.diskFull,
    ],
  );
  return [
    ...wanted.flatMap(([path, one, other]) => unequal(path, one, other)),
    ...missing("evidence.firstLines", evidence.firstLines, attempt.evidence.firstLines),
    ...missing("evidence.repairs", evidence.repairs, attempt.evidence.repairs),
    ...missing("evidence.attempts", evidence.attempts, attempt.evidence.attempts),
    ...missing(
      "evidence.refused",
      evidence.refused,
      attempt.evidence.refused.map(({ target }) => target),
    ),
  ];
}

/** What is not expected is not compared. */
function unequal(path: string, expected: unknown, got: unknown): string[] {
  if (expected === undefined) return [];
  const [wanted, found] = [JSON.stringify(expected), JSON.stringify(got ?? null)];
  return wanted === found ? [] : [`${path}: expected ${wanted}, got ${found}`];
}

function missing(
  path: string,
  expected: readonly string[] | undefined,
  got: readonly string[],
): string[] {
  if (expected?.length === 0) return unequal(path, expected, got);
  return (expected ?? [])
    .filter((text) => !got.some((entry) => entry.includes(text)))
    .map(
      (text) =>
        `${path}: expected an entry with ${JSON.stringify(text)}, got ${JSON.stringify(got)}`,
    );
}

/** Paths of the strings in a result that would reach a terminal with a control character or a change of direction in them. */
export function unprintable(value: unknown, path = ""): string[] {
  if (typeof value === "string") return UNPRINTABLE.test(value) ? [path] : [];
  if (Array.isArray(value))
    return value.flatMap((one: unknown, index) => unprintable(one, `${path}[${index}]`));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) => [
    ...unprintable(key, `${path} key`),
    ...unprintable(one, path === "" ? key : `${path}.${key}`),
  ]);
}

const UNPRINTABLE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u;
