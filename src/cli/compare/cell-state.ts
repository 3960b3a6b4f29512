import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { diskFullFault } from "../../base/errors.ts";

/**
 * How far the comparison of one project on one configuration has come, below the data directory. Ids alone: what
 * became of an attempt is the store's to say, and one that it does not know was not run to its end.
 */

const AttemptId = z.string().regex(/^[0-9a-z]{1,40}$/u);

const CellState = z.object({
  schema: z.literal(1),
  /** RFC 3339. */
  startedAt: z.string(),
  from: z.enum(["auto", "sdist"]),
  rounds: z.array(z.object({ a: AttemptId, b: AttemptId })).max(10),
});
export type CellState = z.infer<typeof CellState>;

/** States of cells by their keys: hashes of all that a cell is made of. */
export class CellStates {
  readonly #directory: string;

  /** @param dataDirectory the farm's. */
  constructor(dataDirectory: string) {
    this.#directory = join(dataDirectory, "compare");
  }

  /** Null where nothing was begun, or what was written can't be read any more: then it is begun anew. */
  async read(key: string): Promise<CellState | null> {
    const text = await readFile(this.#path(key), "utf8").catch(() => null);
    if (text === null) return null;
    try {
      return CellState.safeParse(JSON.parse(text)).data ?? null;
    } catch {
      return null;
    }
  }

  /** Whole or not at all. @throws CreameryError `disk-full`. */
  async write(key: string, state: CellState): Promise<void> {
    const path = this.#path(key);
    const partial = `${path}.${process.pid}`;
    try {
      await mkdir(this.#directory, { recursive: true });
      await writeFile(partial, `${JSON.stringify(state)}\n`);
      await rename(partial, path);
    } catch (thrown) {
      await rm(partial, { force: true });
      throw diskFullFault(thrown, path) ?? thrown;
    }
  }

  #path(key: string): string {
    return join(this.#directory, `${key}.json`);
  }
}
