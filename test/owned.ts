import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { onTestFinished } from "vitest";

/** Disposed of when the test that opened it has ended, what was opened last first. */
export function owned<Resource extends AsyncDisposable>(resource: Resource): Resource {
  onTestFinished(() => resource[Symbol.asyncDispose]());
  return resource;
}

/** An empty directory of a test's own, removed with all that is in it. @param what a word for who finds it. */
export function temporaryDirectory(what: string): string {
  const path = mkdtempSync(join(tmpdir(), `creamery-${what}-`));
  // Something may just be writing its last file there, and what was empty a moment ago is not.
  onTestFinished(() => rmSync(path, { recursive: true, force: true, maxRetries: 10 }));
  return path;
}
