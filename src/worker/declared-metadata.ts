import { parse } from "smol-toml";
import { z } from "zod";

import type { TreeListing } from "../discovery/plan.ts";
import { parseCoreMetadata } from "../python/core-metadata.ts";
import { parseIni } from "../python/ini.ts";
import { isName, normaliseName } from "../python/names.ts";

/** What a source says of itself before it is built; null where it does not, or only by code. */
export interface DeclaredMetadata {
  /** Normalised. */
  readonly project: string | null;
  readonly version: string | null;
  readonly requiresPython: string | null;
}

const NONE: DeclaredMetadata = { project: null, version: null, requiresPython: null };
const Project = z.object({
  project: z.object({
    name: z.string().optional().catch(undefined),
    version: z.string().optional().catch(undefined),
    "requires-python": z.string().optional().catch(undefined),
  }),
});

/** pyproject.toml (PEP 621), else an sdist's PKG-INFO, else setup.cfg: what each says, the first that says it. */
export function declaredMetadata(tree: Pick<TreeListing, "texts">): DeclaredMetadata {
  const sources = [
    fromPyproject(tree.texts["pyproject.toml"]),
    fromPkgInfo(tree.texts["PKG-INFO"]),
    fromSetupCfg(tree.texts["setup.cfg"]),
  ];
  const first = <Key extends keyof DeclaredMetadata>(key: Key) =>
    sources.find((source) => source[key] !== null)?.[key] ?? null;
  return {
    project: first("project"),
    version: first("version"),
    requiresPython: first("requiresPython"),
  };
}

function fromPyproject(text: string | undefined): DeclaredMetadata {
  if (text === undefined) return NONE;
  try {
    const project = Project.safeParse(parse(text)).data?.project;
    return declared(project?.name, project?.version, project?.["requires-python"]);
  } catch {
    return NONE;
  }
}

function fromPkgInfo(text: string | undefined): DeclaredMetadata {
  if (text === undefined) return NONE;
  const { name, version, requiresPython } = parseCoreMetadata(text);
  return declared(name, version, requiresPython ?? undefined);
}

function fromSetupCfg(text: string | undefined): DeclaredMetadata {
  if (text === undefined) return NONE;
  const parsed = parseIni(text);
  if (parsed.kind === "bad") return NONE;
  const metadata = parsed.ini.get("metadata");
  return declared(
    metadata?.get("name"),
    metadata?.get("version"),
    parsed.ini.get("options")?.get("python_requires"),
  );
}

function declared(
  name: string | undefined,
  version: string | undefined,
  requiresPython: string | undefined,
): DeclaredMetadata {
  return {
    project: name !== undefined && isName(name) ? normaliseName(name) : null,
    // `attr: pkg.__version__` and the like are code.
    version: version !== undefined && /^[\w.!+-]{1,100}$/u.test(version) ? version : null,
    requiresPython: requiresPython ?? null,
  };
}
