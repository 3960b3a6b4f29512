import { normaliseName } from "../../python/names.ts";
import type { AttemptEvidence, SmokeFailure } from "../evidence.ts";
import { environmentCause } from "./environment.ts";

/** Names that are no release's main module: what the smoke run holds for private (guest/smoke.py). */
const NOT_PUBLIC = /^(?:_.*|test_.*|tests?|testing|conftest|setup|examples|docs|benchmarks)$/;

// Django's two, and os.environ's own frame.
const ASKS_FOR_SET_UP =
  /\b(?:ImproperlyConfigured|AppRegistryNotReady)\b|\bos\.py", line \d{1,9}, in __getitem__/;

/** Top-level modules of the release that can't be imported as installed. */
export function brokenImports({ smoke }: AttemptEvidence): SmokeFailure[] {
  return smoke?.failures.filter(({ what, top }) => what === "import" && top) ?? [];
}

/**
 * The broken import that makes a release one that nobody can import after a plain install: its main module's, or any
 * where all of them are broken. Null where something of it can be used, or where what failed may be for want of
 * settings, a display or time alone.
 */
export function unusableImport(evidence: AttemptEvidence): SmokeFailure | null {
  const broken = brokenImports(evidence).filter(
    (failure) => isBroken(failure, evidence) && !/\btook too long\b/.test(failure.text),
  );
  const main = broken.find(({ name }) => normaliseName(name) === normaliseName(evidence.project));
  if (main !== undefined) return main;
  const shown = evidence.topLevel.filter((name) => !NOT_PUBLIC.test(name));
  const names = new Set(broken.map(({ name }) => name));
  const all = shown.length > 0 ? shown : evidence.topLevel;
  return all.length > 0 && all.every((name) => names.has(name)) ? (broken[0] ?? null) : null;
}

/** Not only unwilling without settings or the world around it, which whoever uses it sets up. */
export function isBroken({ text }: SmokeFailure, { refused }: AttemptEvidence): boolean {
  return !ASKS_FOR_SET_UP.test(text) && environmentCause(text, refused) === null;
}
