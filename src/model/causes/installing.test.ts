import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";

import { formatCause } from "../result-words.ts";
import type { StepEvidence } from "../evidence.ts";
import type { Phase } from "../attempt.ts";
import { installCause } from "./installing.ts";

// What uv 0.13 and pip 23 really printed for tiny projects of ours on a local index (uvb: `uv build` of a tree).
const samples = z
  .record(z.string(), z.string())
  .parse(
    JSON.parse(readFileSync(new URL("./installer-outputs.sample.json", import.meta.url), "utf8")),
  );

const expected: Record<string, string> = {
  "uv-bkfail": "build-backend(bk)",
  "uv-bkmissing": "build-backend(nosuch_backend)",
  "uv-bkreq": "no-distribution(nosuchbuilddep)",
  "uv-hdr": "missing-system-library(nosuchlib/foo.h)",
  "uv-cerr": "compiler",
  "uv-lnk": "missing-system-library(nosuchlib)",
  "uv-usescython": "missing-dependency-declaration(Cython)",
  "uv-setupsyntax": "syntax",
  "uv-setuperr": "build-backend(setuptools.build_meta)",
  "uv-dep-on-bkfail": "dependency-build(bkfail)",
  "uv-needsnone": "no-distribution(nosuchdist)",
  "uv-needshigh": "unresolvable",
  "uv-conflict": "unresolvable",
  "uv-onlywin": "no-distribution(onlywin)",
  "uv-onlycp": "no-distribution(onlycp)",
  "uv-dep-rp": "unresolvable",
  "uv-nosuchatall": "no-distribution(nosuchatall)",
  "uvb-bkfail": "build-backend(bk)",
  "uvb-hdr": "missing-system-library(nosuchlib/foo.h)",
  "uvb-setuperr": "build-backend(setuptools.build_meta)",
  "pip-bkfail": "build-backend(declared.backend)",
  "pip-bkreq": "no-distribution(nosuchbuilddep)",
  "pip-hdr": "missing-system-library(nosuchlib/foo.h)",
  "pip-lnk": "missing-system-library(nosuchlib)",
  "pip-usescython": "missing-dependency-declaration(Cython)",
  "pip-setupsyntax": "syntax",
  "pip-dep-on-bkfail": "dependency-build(bkfail)",
  "pip-needsnone": "no-distribution(nosuchdist)",
  "pip-needshigh": "unresolvable(base)",
  "pip-conflict": "unresolvable",
  "pip-onlywin": "no-distribution(onlywin)",
};

function causeFor(
  text: string,
  project: string,
  phase: Phase = "install",
  pythonVersion = "3.11.7",
): string {
  const step: StepEvidence = { phase, code: 1, signal: null, limit: null, text };
  return formatCause(
    installCause(step, {
      project,
      buildBackend: "declared.backend",
      topLevel: [],
      pythonVersion,
      lacks: [],
    }),
  );
}

test.each(Object.entries(expected))("reads %s as %s", (name, cause) => {
  const phase = name.startsWith("uvb-") ? "build" : "install";
  expect(causeFor(samples[name] ?? "", name.replace(/^(?:uvb?|pip)-/, ""), phase)).toBe(cause);
});

test("every sample is judged here or where a release's own bounds and the index's faults are", () => {
  const elsewhere = new Set(["uv-rp", "pip-rp", "uv-down", "pip-down"]);
  expect(
    Object.keys(samples).filter((name) => !(name in expected) && !elsewhere.has(name)),
  ).toEqual([]);
});

test.each([
  ["ModuleNotFoundError: No module named 'distutils'", "3.13.5", "removed-api(distutils)"],
  [
    "AttributeError: module 'pkgutil' has no attribute 'ImpImporter'. Did you mean: 'zipimporter'?",
    "3.12.1",
    "removed-api(pkgutil.ImpImporter)",
  ],
  ["ModuleNotFoundError: No module named 'imp'", "3.11.2", "missing-dependency-declaration(imp)"],
  [
    "Package 'lzo2', required by 'virtual:world', not found",
    "3.13.5",
    "missing-system-library(lzo2)",
  ],
  [
    'meson.build:12:0: ERROR: Dependency "openblas" not found, tried pkgconfig',
    "3.13.5",
    "missing-system-library(openblas)",
  ],
  ["Error: pg_config executable not found.", "3.13.5", "missing-system-library(pg_config)"],
  [
    "CMake Error: Could NOT find OpenSSL (missing: OPENSSL_CRYPTO_LIBRARY)",
    "3.13.5",
    "missing-system-library(OpenSSL)",
  ],
  ["error: could not compile `foo` (lib) due to 2 previous errors", "3.13.5", "compiler"],
  ["error: command '/usr/bin/x86_64-linux-gnu-gcc' failed with exit code 1", "3.13.5", "compiler"],
])("reads a build's %j on %s as %s", (line, version, cause) => {
  const text = `error: Failed to build \`/job/build\`\n  cause: Call to \`setuptools.build_meta.build_wheel\` failed\n${line}\n`;
  expect(causeFor(text, "thing", "build", version)).toBe(cause);
});
