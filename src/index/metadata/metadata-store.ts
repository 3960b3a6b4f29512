import { createHash } from "node:crypto";
import { readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { noteUse } from "../cache/note-use.ts";
import type { IndexFile, ProjectPage } from "../page/project-page.ts";
import { replaceFile } from "../files/replace-file.ts";

/**
 * Metadata of wheels, on disk: by the wheel's hash what was read out of the verified wheel, and apart from that, for each
 * index, what that index said of it. What one index says of a wheel by its hash is nothing to another's.
 */
export class MetadataStore {
  readonly #directory: string;

  /** @param directory must be there. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Out of the verified wheel; null where that was not here yet. */
  async readOfWheel(file: IndexFile): Promise<Buffer | null> {
    return await read(this.#ofWheel(file));
  }

  /** What this page's index told of a wheel before it came; null for nothing. */
  async readSaid(page: ProjectPage, file: IndexFile): Promise<Buffer | null> {
    return await read(this.#said(page, file));
  }

  async keepOfWheel(file: IndexFile, content: Buffer): Promise<void> {
    await replaceFile(this.#ofWheel(file), content).catch(() => undefined);
  }

  async keepSaid(page: ProjectPage, file: IndexFile, content: Buffer): Promise<void> {
    await replaceFile(this.#said(page, file), content).catch(() => undefined);
  }

  async forgetSaid(page: ProjectPage, file: IndexFile): Promise<void> {
    await rm(this.#said(page, file), { force: true }).catch(() => undefined);
  }

  #ofWheel({ key }: IndexFile): string {
    return join(this.#directory, key);
  }

  #said(page: ProjectPage, file: IndexFile): string {
    return join(this.#directory, saidMetadataName(page.upstream, file.key));
  }
}

/** Under which it is kept what an index said of a wheel. @param key the wheel's. */
export function saidMetadataName(upstream: string, key: string): string {
  return `u-${createHash("sha256").update(`${upstream}\n${key}`).digest("hex")}`;
}

async function read(path: string): Promise<Buffer | null> {
  const kept = await readFile(path).catch(() => null);
  const found = kept === null ? null : await stat(path).catch(() => null);
  if (found !== null) await noteUse(path, found);
  return kept;
}

/** Whether it is core metadata at all: an error page with status 200 is none. */
export function isCoreMetadata(content: Buffer): boolean {
  return /^Metadata-Version:[ \t]*\d/imu.test(content.toString("latin1", 0, 16_384));
}
