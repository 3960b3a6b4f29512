import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import type { PrefetchWish } from "../../index/prefetch.ts";
import { parsePylock } from "../../index/lock/pylock.ts";
import { parseSdistFilename, parseWheelFilename } from "../../python/distribution-filename.ts";
import { normaliseName } from "../../python/names.ts";
import { readRequirementsFile } from "../../python/requirements-file.ts";
import { parseRequirement } from "../../python/requirements.ts";

/** `lmdb`, `attrs==25.3.0`, `'django>=5,<6'`. @throws CreameryError `bad-requirement`. */
export function wishOf(text: string): PrefetchWish {
  const requirement = parseRequirement(text);
  if (requirement === null || requirement.url !== null)
    throw new CreameryError("bad-requirement", "is no project that an index could have", {
      input: text.slice(0, 200),
      nextStep: "write lmdb, or attrs==25.3.0",
    });
  const { project, specifiers } = requirement;
  return { project, specifiers, sha256s: null };
}

export interface RequirementWishes {
  readonly wishes: readonly PrefetchWish[];
  /** Lines that were passed over, and why. */
  readonly notes: readonly string[];
}

/** A requirements file; where it names hashes of a project, those files alone. Other files that it includes are not read. */
export function wishesOfRequirements(text: string, path: string): RequirementWishes {
  const read = readRequirementsFile(path, (asked) => (asked === path ? text : undefined));
  const hashes = hashesByProject(text);
  const own = read.requirements.filter(({ url }) => url === null);
  return {
    wishes: own.map(({ project, specifiers }) => ({
      project,
      specifiers,
      sha256s: hashes.get(project) ?? null,
    })),
    notes: [
      ...read.notes,
      ...read.requirements
        .filter(({ url }) => url !== null)
        .map((requirement) => `${path}: left out ${requirement.text}`),
    ],
  };
}

function hashesByProject(text: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const line of text.replaceAll(/\\\r?\n/gu, " ").split(/\r?\n/u)) {
    const [, name] = /^\s*([A-Za-z0-9][A-Za-z0-9._-]*)/u.exec(line) ?? [];
    const hashes = [...line.matchAll(/--hash[=\s]sha256:([0-9a-f]{64})\b/gu)];
    if (name === undefined || hashes.length === 0) continue;
    const sha256s = hashes.map(([, sha256 = ""]) => sha256);
    found.set(normaliseName(name), [...(found.get(normaliseName(name)) ?? []), ...sha256s]);
  }
  return found;
}

const Build = z.object({
  tool: z.object({
    creamery: z.object({
      build: z.array(z.object({ name: z.string(), hashes: z.record(z.string(), z.string()) })),
    }),
  }),
});

/** Exactly the files of a lock, by hash; what it says was built with too. @throws CreameryError `configuration-file`. */
export function wishesOfLock(text: string, path: string): readonly PrefetchWish[] {
  const lock = parsePylock(text, path);
  const files = lock.packages.flatMap(({ name, sdist, wheels = [] }) =>
    [...(sdist === undefined ? [] : [sdist]), ...wheels].map(({ hashes }) => ({ name, hashes })),
  );
  const built = Build.safeParse(lock).data?.tool.creamery.build ?? [];
  const all = [
    ...files,
    ...built.flatMap(({ name, hashes }) => {
      const parsed = parseWheelFilename(name) ?? parseSdistFilename(name);
      return parsed === null ? [] : [{ name: parsed.project, hashes }];
    }),
  ];
  return [...Map.groupBy(all, ({ name }) => normaliseName(name))].map(([project, rows]) => ({
    project,
    specifiers: [],
    sha256s: [...new Set(rows.flatMap(({ hashes }) => hashes["sha256"] ?? []))],
  }));
}
