import { readFileSync } from "node:fs";
import { resolve } from "node:path";

import { packProjects } from "../guest/pack-projects.ts";
import type { DistFile } from "../upstream/upstream.ts";

/** Of a small made-up project, whatever clients must know of an index. */

export const APP = "creamery-client-app";
export const LIB = "creamery-client-lib";
export const MORE = "creamery-client-more";
const BACKEND = "creamery-backend";

/** What every client of today installs for the app with its extra: no newer one that is yanked, early or for another Python. */
export const EXPECTED = [`${APP} 1.1`, `${LIB} 1.0`, `${MORE} 1.0`] as const;

const wheel = { publish: ["wheel"] } as const;
const app = {
  name: APP,
  ...wheel,
  requires: [LIB, `${MORE}; extra == 'more'`],
  extras: ["more"],
} as const;

export function madeUpProjects(): DistFile[] {
  const backend = readFileSync(resolve(import.meta.dirname, "../mini-farm/backend.py"), "utf8");
  const files = packProjects([
    { ...app, versions: ["1.0", "1.1", "1.3", "2.0rc1"] },
    { ...app, versions: ["1.2"], requiresPython: ">=3.99" },
    // Built by whoever installs it: in isolation with what it says, or by its setup.py where nobody knows of that.
    {
      name: LIB,
      publish: ["sdist"],
      files: {
        "pyproject.toml": `[build-system]\nrequires = ["${BACKEND}"]\nbuild-backend = "creamery_farm_backend"\n`,
        "setup.py": `from setuptools import setup\nsetup(name="${LIB}", version="1.0", py_modules=["creamery_farm_client_lib"])\n`,
      },
    },
    { name: BACKEND, ...wheel, files: { "creamery_farm_backend.py": backend } },
    { name: MORE, ...wheel },
  ]);
  return files.map((file) => ({
    ...file,
    ...(file.filename.includes("-1.2-") ? { requiresPython: ">=3.99" } : {}),
    ...(file.filename.includes("-1.3-") ? { yanked: "it was wrong" } : {}),
  }));
}
