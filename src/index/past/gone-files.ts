import type { FileStore } from "../files/file-store.ts";
import { idOf } from "./page-history.ts";
import type { IndexFile } from "../page/project-page.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";

const FRESH_MS = 60_000;
const MAX_KNOWN = 5000;
const DEADLINE_MS = 10_000;
/** Of one page, at once: each is a question to the farm. */
const MAX_ASKED = 200;

interface Known {
  readonly had: boolean;
  readonly untilMs: number;
}

/** Which of the files that an index lists no more can be had all the same: those that are kept here, or by the farm. */
export class GoneFiles {
  readonly #files: FileStore;
  readonly #farm = new Map<string, Known>();

  constructor(files: FileStore) {
    this.#files = files;
  }

  /**
   * @param farm whose files are asked for, and where each would be; null where upstream is an index.
   * @returns their ids (`idOf`).
   */
  async had(
    files: readonly IndexFile[],
    farm: { readonly client: UpstreamClient; urlOf(file: IndexFile): string } | null,
    signal: AbortSignal,
  ): Promise<ReadonlySet<string>> {
    const had = new Set<string>();
    let asked = 0;
    for (const file of files) {
      if ((await this.#files.kept(file)) !== null) had.add(idOf(file));
      else if (farm !== null && asked++ < MAX_ASKED)
        if (await this.#farmHas(farm.client, farm.urlOf(file), signal)) had.add(idOf(file));
    }
    return had;
  }

  async #farmHas(client: UpstreamClient, url: string, signal: AbortSignal): Promise<boolean> {
    const now = performance.now();
    const known = this.#farm.get(url);
    if (known !== undefined && known.untilMs > now) return known.had;
    using response = await client.request({
      url,
      // A farm's index answers no HEAD.
      headers: { range: "bytes=0-0" },
      signal: AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]),
    });
    const had = response.status === 206;
    if (this.#farm.size >= MAX_KNOWN) this.#farm.clear();
    this.#farm.set(url, { had, untilMs: now + FRESH_MS });
    return had;
  }
}
