import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { within } from "../../base/within.ts";
import { noteUse } from "../cache/note-use.ts";
import type { IndexFile } from "../page/project-page.ts";
import { replaceFile } from "../files/replace-file.ts";
import { shownUrl } from "../upstream/secret.ts";
import { readBody, type UpstreamClient } from "../upstream/upstream-client.ts";

/** As PEP 740 calls it. */
export const PROVENANCE_TYPE = "application/vnd.pypi.integrity.v1+json";

const MAX_BYTES = 4 << 20;
const DEADLINE_MS = 30_000;
const MAX_RUNNING = 1000;

/** What every one is; who is to believe it is for those who verify it. */
const Provenance = z.looseObject({
  version: z.number(),
  attestation_bundles: z.array(z.looseObject({})),
});

/** Where upstream has a file's provenance (PEP 740), absolute; null where it has none. */
export function provenanceUrl({ raw }: Pick<IndexFile, "raw">): string | null {
  const url = raw["provenance"];
  return typeof url === "string" && /^https?:/iu.test(url) ? url : null;
}

/** Provenances of files, fetched when they are asked for, and kept: what was attested at an upload stays so. */
export class Provenances {
  readonly #directory: string;
  readonly #running = new Map<string, Promise<Buffer | null>>();
  readonly #life: AbortSignal;

  /** @param life ends what is being fetched: it is shared by all who ask at once. */
  constructor(directory: string, life: AbortSignal) {
    this.#directory = directory;
    this.#life = life;
  }

  /**
   * @param url where it is to be had. @param client of the index whose page names it.
   * @returns null when upstream has none there.
   * @throws CreameryError `upstream`, `no-network`, `address-refused`, `deadline`.
   */
  get(
    { key }: Pick<IndexFile, "key">,
    url: string,
    client: UpstreamClient,
    signal: AbortSignal,
  ): Promise<Buffer | null> {
    let running = this.#running.get(key);
    if (running === undefined) {
      if (this.#running.size >= MAX_RUNNING)
        throw new CreameryError("upstream", "too many provenances are being fetched", {
          input: shownUrl(url),
        });
      running = this.#find(key, url, client).finally(() => this.#running.delete(key));
      this.#running.set(key, running);
    }
    return within(running, { signal });
  }

  async #find(key: string, url: string, client: UpstreamClient): Promise<Buffer | null> {
    const path = join(this.#directory, key);
    const kept = await readFile(path).catch(() => null);
    if (kept !== null) {
      const found = await stat(path).catch(() => null);
      if (found !== null) await noteUse(path, found);
      return kept;
    }
    const fetched = await this.#fetch(url, client);
    if (fetched === null) return null;
    // A full disk is no reason not to answer.
    await mkdir(this.#directory, { recursive: true })
      .then(() => replaceFile(path, fetched))
      .catch(() => undefined);
    return fetched;
  }

  async #fetch(url: string, client: UpstreamClient): Promise<Buffer | null> {
    const input = shownUrl(url);
    using response = await client.request({
      url,
      signal: AbortSignal.any([this.#life, AbortSignal.timeout(DEADLINE_MS)]),
      headers: { accept: `${PROVENANCE_TYPE}, application/json;q=0.5`, "accept-encoding": "gzip" },
    });
    const told = response.status === 200 ? null : await client.told(response);
    if (told !== null && response.status !== 404) throw told;
    if (response.status === 404 || response.status === 410) return null;
    if (response.status !== 200)
      throw new CreameryError("upstream", `answers ${response.status} for a provenance`, { input });
    const body = await readBody(response, MAX_BYTES);
    if (!isProvenance(body))
      throw new CreameryError("upstream", "answers with what is no provenance", { input });
    return body;
  }
}

export function isProvenance(body: Buffer): boolean {
  try {
    return Provenance.safeParse(JSON.parse(body.toString("utf8"))).success;
  } catch {
    return false;
  }
}
