import { parse } from "smol-toml";
import { z } from "zod";

import { parseIni } from "../../python/ini.ts";
import { normaliseName } from "../../python/names.ts";
import { askRepository, type BareRepository } from "./bare-repository.ts";

export type ProjectDirectory =
  /** `""` for the repository's root; else without slashes at its ends. */
  | { readonly kind: "one"; readonly directory: string }
  | { readonly kind: "none" }
  | { readonly kind: "several"; readonly directories: readonly string[] };

const FILES = ["pyproject.toml", "setup.cfg", "setup.py"];
const MAX_FILES = 100;
const MAX_DEPTH = 4;
const MAX_CHARS = 256 * 1024;
const SHOWN = 5;

const Project = z.looseObject({
  project: z.looseObject({ name: z.string() }).optional().catch(undefined),
  tool: z
    .looseObject({
      poetry: z.looseObject({ name: z.string() }).optional().catch(undefined),
      flit: z
        .looseObject({ metadata: z.looseObject({ module: z.string() }) })
        .optional()
        .catch(undefined),
    })
    .optional()
    .catch(undefined),
});

/**
 * Where in a repository a project lies: the directory whose pyproject.toml, setup.cfg or setup.py says its name. The root, where
 * that says it, or where it has such a file that says no name that can be read and no other directory says this one.
 * @param project normalised.
 */
export async function projectDirectory(
  repository: BareRepository,
  commit: string,
  project: string,
  signal: AbortSignal,
): Promise<ProjectDirectory> {
  const patterns = FILES.map((name) => `:(glob)**/${name}`);
  const argv = ["grep", "-l", "-z", "-I", "-i", "-F", "name", commit, "--", ...patterns];
  const said = await askRepository(repository, argv, { signal, noneIsOne: true });
  const paths = said
    .split("\0")
    .map((path) => path.slice(commit.length + 1))
    .filter((path) => path !== "" && path.split("/").length <= MAX_DEPTH + 1)
    .toSorted((left, right) => left.split("/").length - right.split("/").length)
    .slice(0, MAX_FILES);
  const directories = new Set<string>();
  let rootSaysOther = false;
  for (const path of paths) {
    const slash = path.lastIndexOf("/");
    const directory = slash < 0 ? "" : path.slice(0, slash);
    const text = await askRepository(repository, ["cat-file", "blob", `${commit}:${path}`], {
      signal,
      maxChars: MAX_CHARS,
    });
    const name = declaredName(path.slice(slash + 1), text);
    if (directory === "") rootSaysOther ||= name !== null && normaliseName(name) !== project;
    if (name !== null && normaliseName(name) === project) directories.add(directory);
    if (directories.has("")) return { kind: "one", directory: "" };
  }
  const [first, ...more] = directories;
  if (more.length > 0) return { kind: "several", directories: [...directories].slice(0, SHOWN) };
  if (first !== undefined) return { kind: "one", directory: first };
  if (rootSaysOther) return { kind: "none" };
  const atRoot = ["ls-tree", "--name-only", commit, "--", ...FILES];
  return (await askRepository(repository, atRoot, { signal })) === ""
    ? { kind: "none" }
    : { kind: "one", directory: "" };
}

function declaredName(file: string, text: string): string | null {
  switch (file) {
    case "pyproject.toml":
      try {
        const { project, tool } = Project.parse(parse(text));
        return project?.name ?? tool?.poetry?.name ?? tool?.flit?.metadata.module ?? null;
      } catch {
        return null;
      }
    case "setup.cfg": {
      const parsed = parseIni(text);
      return parsed.kind === "bad" ? null : (parsed.ini.get("metadata")?.get("name") ?? null);
    }
    default:
      // Read, never run: a literal, or nothing.
      return /\bname\s*=\s*["']([\w.-]{1,100})["']/u.exec(text)?.[1] ?? null;
  }
}
