import { createHash } from "node:crypto";
import { mkdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";

import { z } from "zod";

import { noteUse } from "../cache/note-use.ts";
import { heldNames } from "./held-names.ts";
import type { PageForm } from "./page-form.ts";
import type { ProjectPage } from "./project-page.ts";
import { replaceFile } from "../files/replace-file.ts";

export const MAX_PAGE_BYTES = 64 << 20;

/** What is kept beside a page of it. */
export const KeptPage = z.object({
  url: z.string(),
  contentType: z.string(),
  etag: z.string().nullable(),
  lastModified: z.string().nullable(),
  fetchedAtMs: z.number(),
  freshMs: z.number(),
  /** Of the page that this is said of: two commands may write at once. */
  bodySha256: z.string(),
});
export type KeptPage = z.infer<typeof KeptPage>;

/** Pages of one upstream on disk, compressed, as upstream sent them, each with what was said of it beside it. */
export class KeptPages {
  readonly #directory: string;
  readonly #form: PageForm;

  constructor(directory: string, form: PageForm) {
    this.#directory = directory;
    this.#form = form;
  }

  /** Projects of which a page is kept, in no order. */
  names(): Promise<string[]> {
    return heldNames(this.#directory);
  }

  async noteUse(name: string): Promise<void> {
    const path = `${this.#path(name)}.json`;
    const found = await stat(path).catch(() => null);
    if (found !== null) await noteUse(path, found);
  }

  async load(
    name: string,
  ): Promise<{ readonly kept: KeptPage; readonly page: ProjectPage } | undefined> {
    const path = this.#path(name);
    try {
      await this.noteUse(name);
      const kept = KeptPage.parse(JSON.parse(await readFile(`${path}.json`, "utf8")));
      const body = await promisify(gunzip)(await readFile(`${path}.page.gz`), {
        maxOutputLength: MAX_PAGE_BYTES,
      });
      const page = this.#form.parse(body, kept.contentType, kept.url, name);
      const bodySha256 = createHash("sha256").update(body).digest("hex");
      return page === null || bodySha256 !== kept.bodySha256 ? undefined : { kept, page };
    } catch {
      // Never kept, or half written by a run that was ended: asked again.
      return undefined;
    }
  }

  /** @param body null when what is kept is still right. A full disk is no reason not to answer. */
  async save(name: string, kept: KeptPage, body: Buffer | null): Promise<void> {
    const path = this.#path(name);
    try {
      await mkdir(dirname(path), { recursive: true });
      if (body !== null)
        await replaceFile(`${path}.page.gz`, await promisify(gzip)(body, { level: 4 }));
      await replaceFile(`${path}.json`, Buffer.from(JSON.stringify(kept)));
    } catch {
      return;
    }
  }

  #path(name: string): string {
    return join(this.#directory, name.slice(0, 2), name);
  }
}
