import { execFileSync } from "node:child_process";
import { join } from "node:path";

import { z } from "zod";

import type { DistFile } from "../upstream/upstream.ts";
import { readProjects, type FarmProject } from "./expectations.ts";

/** The files of all projects of the mini-farm, for a local upstream. Packed in memory by pack.py, the same at every time. */

const Packed = z.array(
  z.strictObject({ project: z.string(), filename: z.string(), content: z.base64() }),
);

/** @throws Error of `python3` (3.9 or newer, standard library alone) when a project can't be packed. */
export function buildMiniFarm(): DistFile[] {
  const projects = [...readProjects("dependencies"), ...readProjects("projects")];
  const farms = new Map(projects.map((project) => [project.name, project.farm]));
  const packed: unknown = JSON.parse(
    execFileSync("python3", ["-I", join(import.meta.dirname, "pack.py")], {
      input: JSON.stringify(projects.map(packOrder)),
      maxBuffer: 64 << 20,
      encoding: "utf8",
    }),
  );
  return Packed.parse(packed).map(({ project, filename, content }) => {
    const farm = farms.get(project);
    return {
      project,
      filename,
      content: Buffer.from(content, "base64"),
      ...(farm?.requires_python === undefined ? {} : { requiresPython: farm.requires_python }),
      ...(farm?.yanked === undefined ? {} : { yanked: farm.yanked }),
    };
  });
}

function packOrder({ name, directory, farm }: FarmProject): unknown {
  return {
    name,
    directory,
    summary: farm.summary,
    versions: farm.versions,
    publish: farm.publish,
    requires: farm.requires,
    requiresPython: farm.requires_python ?? null,
    wheelTag: farm.wheel_tag,
    sdistWithout: farm.sdist_without,
    extraFiles: farm.extra_files,
  };
}
