import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

import { normaliseName } from "../../src/python/names.ts";
import type { DistFile } from "../../test/upstream/upstream.ts";

/** Small ones and one that is large, as a project's requirements are; one version each, by the host's own index, once. */
export const TO_INSTALL = [
  "attrs==25.4.0",
  "certifi==2025.11.12",
  "charset-normalizer==3.4.4",
  "click==8.3.1",
  "idna==3.11",
  "markupsafe==3.0.3",
  "numpy==2.3.5",
  "packaging==25.0",
  "requests==2.32.5",
  "urllib3==2.6.0",
] as const;
/** `python3.13`'s, whatever runs the bench. */
const WHEELS_FOR = ["--python-version", "3.13", "--only-binary", ":all:", "--no-deps"];

const BIG_BYTES = 30 * 1024 * 1024;

export interface Content {
  readonly files: readonly DistFile[];
  readonly big: { readonly filename: string; readonly sha256: string; readonly sizeBytes: number };
}

/** A file of 30 MB, a project of 1,110 files and one of 1,000, uploaded over ten years, and ten real wheels. */
export function contentOf(cache: string): Content {
  const content = randomBytes(BIG_BYTES);
  const filename = "big-1.0.tar.gz";
  return {
    files: [
      { project: "big", filename, content },
      ...releases("many", 1110),
      ...releases("dated", 1000),
      ...wheels(cache),
    ],
    big: {
      filename,
      sha256: createHash("sha256").update(content).digest("hex"),
      sizeBytes: BIG_BYTES,
    },
  };
}

/** Five files for each release: an sdist and wheels of four interpreters. */
function releases(project: string, count: number): DistFile[] {
  const tags = ["cp310-cp310", "cp311-cp311", "cp312-cp312", "cp313-cp313"];
  const perRelease = tags.length + 1;
  return Array.from({ length: count }, (_, index) => {
    const version = `1.${Math.floor(index / perRelease)}.0`;
    const tag = tags[index % perRelease];
    const stem = `${project}-${version}`;
    const filename =
      tag === undefined
        ? `${stem}.tar.gz`
        : `${stem}-${tag}-manylinux_2_17_x86_64.manylinux2014_x86_64.whl`;
    return {
      project,
      filename,
      content: Buffer.from(filename),
      uploadTime: new Date(uploadedMs(index / count)).toISOString().replace("Z", "000Z"),
      requiresPython: ">=3.10",
    };
  });
}

const FIRST_MS = Date.parse("2016-01-01T00:00:00Z");
const LAST_MS = Date.parse("2026-01-01T00:00:00Z");

/** An instant at a part of the ten years, ms since 1970. */
export function uploadedMs(part: number): number {
  return Math.round(FIRST_MS + part * (LAST_MS - FIRST_MS));
}

/** @throws Error when the host's pip can't bring them. */
function wheels(cache: string): DistFile[] {
  const place = join(cache, "bench-peers", "wheels");
  if (!existsSync(place)) {
    const beside = `${place}.${process.pid}`;
    mkdirSync(beside, { recursive: true });
    const argv = [
      "-m",
      "pip",
      "download",
      "--quiet",
      ...WHEELS_FOR,
      "--dest",
      beside,
      ...TO_INSTALL,
    ];
    execFileSync("python3", argv, { stdio: ["ignore", "ignore", "inherit"] });
    rmSync(place, { recursive: true, force: true });
    renameSync(beside, place);
  }
  return readdirSync(place).map((filename) => ({
    project: normaliseName(filename.split("-")[0] ?? ""),
    filename,
    content: readFileSync(join(place, filename)),
  }));
}
