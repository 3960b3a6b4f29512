import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join, resolve } from "node:path";

import { z } from "zod";

import type { DistFile } from "../upstream/upstream.ts";

/** A project of a test's own, published as the mini-farm's are: nothing has to be fetched to build it. */
export interface SmallProject {
  /** `creamery-e2e-...`; its one module is `creamery_farm_e2e_...`. */
  readonly name: string;
  readonly versions?: readonly string[];
  readonly requires?: readonly string[];
  /** Those that `requires` names. */
  readonly extras?: readonly string[];
  readonly requiresPython?: string;
  readonly publish?: readonly ("sdist" | "wheel")[];
  /** `Source, https://git.example/x`. */
  readonly urls?: readonly string[];
  /** By path in its sdist, besides the module. */
  readonly files?: Readonly<Record<string, string>>;
}

const MINI_FARM = resolve(import.meta.dirname, "../mini-farm");
const Packed = z.array(
  z.strictObject({ project: z.string(), filename: z.string(), content: z.base64() }),
);

export const moduleOf = (name: string): string =>
  name.replace(/^creamery-/u, "creamery_farm_").replaceAll("-", "_");

/**
 * Their files, other ones at every time: what a run before has left in the host's cache is none of theirs.
 * @throws Error of `python3` when a project can't be packed.
 */
export function packProjects(projects: readonly SmallProject[]): DistFile[] {
  const salt = randomUUID();
  const orders = projects.map(
    ({
      name,
      versions = ["1.0"],
      requires = [],
      extras = [],
      requiresPython = null,
      publish = ["sdist", "wheel"],
      urls = [],
      files = {},
    }) => ({
      name,
      directory: "/nonexistent",
      summary: "A test's own.",
      versions,
      publish,
      requires,
      extras,
      requiresPython,
      urls,
      wheelTag: "py2.py3-none-any",
      sdistWithout: [],
      extraFiles: { [`${moduleOf(name)}.py`]: `SALT = "${salt}"\n`, ...files },
    }),
  );
  const packed: unknown = JSON.parse(
    execFileSync("python3", ["-I", join(MINI_FARM, "pack.py")], {
      input: JSON.stringify(orders),
      encoding: "utf8",
      maxBuffer: 64 << 20,
    }),
  );
  return Packed.parse(packed).map(({ project, filename, content }) => ({
    project,
    filename,
    content: Buffer.from(content, "base64"),
  }));
}

/** A unittest of one case, whose body is these lines. */
export function unittestOf(...body: readonly string[]): string {
  return [
    "import os",
    "import sys",
    "import time",
    "import unittest",
    "",
    "",
    "class Case(unittest.TestCase):",
    "    def test_it(self):",
    ...body.map((line) => `        ${line}`),
    "",
  ].join("\n");
}

/** Files of a project one of whose tests passes, or fails. */
export const PASSING = { "tests/test_it.py": unittestOf("self.assertTrue(True)") };
export const FAILING = { "tests/test_it.py": unittestOf("self.assertTrue(False)") };
