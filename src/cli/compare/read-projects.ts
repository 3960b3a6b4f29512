import { resolve } from "node:path";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import { parseTarget, type Target } from "../../worker/sources/target.ts";

/** A project to compare, and where it was named. */
export interface NamedTarget {
  readonly target: Target;
  /** `projects.txt: line 3`; the word itself where it was typed. */
  readonly where: string;
}

const MAX_FILE_BYTES = 1024 * 1024;
const MAX_PROJECTS = 10_000;
const MAX_SHOWN = 3;

/**
 * Reads a list of projects: one on each line, as `creamery test` takes them, what follows ` #` left out.
 * @param file as it was named, for faults.
 * @throws CreameryError `usage` that names the lines that can't be read, or says that there are none.
 */
export function parseProjects(text: string, file: string): NamedTarget[] {
  const targets: NamedTarget[] = [];
  const wrong: string[] = [];
  let nextStep = "";
  const seen = new Set<string>();
  for (const [index, line] of text
    .replace(/^\ufeff/u, "")
    .split(/\r\n|\n|\r/u)
    .entries()) {
    const word = line.replace(/(?:^|\s)#.*$/u, "").trim();
    if (word === "" || seen.has(word)) continue;
    seen.add(word);
    const where = `line ${index + 1}`;
    try {
      if (word.startsWith("-"))
        throw new CreameryError("usage", "is an option of pip's", {
          input: word,
          nextStep: "name projects alone, one on each line",
        });
      targets.push({ target: parseTarget(word), where: `${file}: ${where}` });
    } catch (thrown) {
      if (!(thrown instanceof CreameryError)) throw thrown;
      wrong.push(`${where}: ${shown(word)}: ${thrown.message}`);
      nextStep ||= thrown.nextStep ?? "";
    }
  }
  if (wrong.length > 0) {
    const rest = wrong.length - MAX_SHOWN;
    const more = rest > 0 ? `; and ${rest} more` : "";
    throw new CreameryError("usage", `${wrong.slice(0, MAX_SHOWN).join("; ")}${more}`, {
      input: file,
      nextStep,
    });
  }
  if (targets.length === 0 || targets.length > MAX_PROJECTS)
    throw new CreameryError(
      "usage",
      targets.length === 0 ? "names no project" : `names more than ${MAX_PROJECTS} projects`,
      { input: file, nextStep: "write one project on each line, such as attrs or attrs==25.3.0" },
    );
  return targets;
}

function shown(word: string): string {
  return clip(printableLine(word), 80);
}

/**
 * The same of a file of the person who asked, read with that person's rights.
 * @throws CreameryError `no-such-path`, `unreadable-path`, `too-large` and of `parseProjects`.
 */
export async function readProjects(
  typed: string,
  cwd: string,
  launcher: Pick<LauncherClient, "request">,
): Promise<NamedTarget[]> {
  if (typed === "")
    throw new CreameryError("usage", "names no file", {
      input: "--projects",
      nextStep: "name a file with one project on each line",
    });
  const path = resolve(cwd, typed);
  const asked = { kind: "read-user-text", path, maxBytes: MAX_FILE_BYTES } as const;
  const { text } = await launcher.request(asked).catch((thrown: unknown) => {
    if (!(thrown instanceof CreameryError) || thrown.exitCode !== 2) throw thrown;
    throw new CreameryError(thrown.code, thrown.message, {
      input: printableLine(path),
      nextStep: "name a file with one project on each line",
      cause: thrown,
    });
  });
  return parseProjects(text, clip(printableLine(typed), 200));
}
