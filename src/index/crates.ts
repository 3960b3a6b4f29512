import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import type { FileStore, WantedFile } from "./file-store.ts";
import { freshness } from "./page-store.ts";
import { replaceFile } from "./replace-file.ts";
import { shownUrl } from "./secret.ts";
import { readBody, UpstreamClient } from "./upstream-client.ts";
import type { Transport, Upstream } from "./upstreams.ts";

/** A sparse index of crates (RFC 2789): a file of lines for each crate, and the crates, verified by `cksum`. */

const Config = z.looseObject({ dl: z.string() });
const Line = z.looseObject({
  name: z.string().refine(isCrateName),
  // Semantic Versioning 2.0: it becomes a part of addresses.
  vers: z.string().regex(/^[0-9][0-9A-Za-z.+-]{0,127}$/u),
  cksum: z.string().regex(/^[0-9a-f]{64}$/u),
});

const MAX_INDEX_BYTES = 32 << 20;
const RETRIES = 2;
const DEADLINE_MS = 60_000;

export interface CrateVersion {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  /** As the index says it, one line of JSON. */
  readonly line: string;
}

export class CrateMirror {
  readonly files: FileStore;
  readonly client: UpstreamClient;
  readonly #directory: string;
  readonly #documents = new Map<
    string,
    { readonly body: Buffer | null; readonly untilMs: number }
  >();

  readonly #running = new Map<string, Promise<Buffer | null>>();

  constructor(
    upstream: Upstream,
    transport: Transport,
    files: FileStore,
    directory: string,
    allow: readonly string[] = [],
  ) {
    this.client = new UpstreamClient(upstream, transport, allow);
    this.files = files;
    this.#directory = join(
      directory,
      "crates",
      createHash("sha256").update(upstream.url).digest("hex").slice(0, 16),
    );
  }

  /** All versions of a crate; null when the index has none of that name. */
  async versions(name: string): Promise<readonly CrateVersion[] | null> {
    const body = await this.#document(`${cratePrefix(name)}/${name.toLowerCase()}`);
    return body === null ? null : parseCrateLines(body.toString("utf8"), name);
  }

  /** What a version's `.crate` is and where upstream has it. */
  async wanted(version: CrateVersion): Promise<WantedFile> {
    const body = await this.#document("config.json");
    let config;
    try {
      config = Config.parse(JSON.parse(body?.toString("utf8") ?? ""));
    } catch (cause) {
      throw new CreameryError(
        "upstream",
        "answers with what is no configuration of a crates index",
        { input: shownUrl(this.client.upstream.url), cause },
      );
    }
    const markers: Readonly<Record<string, string>> = {
      "{crate}": version.name,
      "{version}": version.version,
      "{prefix}": cratePrefix(version.name, false),
      "{lowerprefix}": cratePrefix(version.name),
      "{sha256-checksum}": version.sha256,
    };
    const has = Object.keys(markers).some((marker) => config.dl.includes(marker));
    const template = has ? config.dl : `${config.dl}/{crate}/{version}/download`;
    const url = Object.entries(markers).reduce(
      (text, [marker, value]) => text.replaceAll(marker, encodeURI(value)),
      template,
    );
    // An index of crates says an absolute one; a farm, which may be known by other names than its own, one beside its index.
    const absolute = URL.parse(url, this.client.upstream.url)?.href ?? url;
    return { key: version.sha256, url: absolute, sha256: version.sha256, sizeBytes: null };
  }

  close(): void {
    this.client.close();
  }

  async #document(path: string): Promise<Buffer | null> {
    const known = this.#documents.get(path);
    if (known !== undefined && known.untilMs > Date.now()) return known.body;
    // One question for all who ask at once.
    let running = this.#running.get(path);
    if (running === undefined) {
      running = this.#refresh(path, known?.body).finally(() => this.#running.delete(path));
      this.#running.set(path, running);
    }
    return await running;
  }

  async #refresh(path: string, known: Buffer | null | undefined): Promise<Buffer | null> {
    const disk = join(this.#directory, path.replaceAll("/", "_"));
    try {
      const body = await this.#ask(path);
      if (body.content !== null) {
        await mkdir(this.#directory, { recursive: true })
          .then(() => replaceFile(disk, body.content ?? Buffer.alloc(0)))
          .catch(() => undefined);
      }
      this.#documents.set(path, { body: body.content, untilMs: Date.now() + body.freshMs });
      return body.content;
    } catch (thrown) {
      const kept = known ?? (await readFile(disk).catch(() => null));
      if (kept === null || !(thrown instanceof CreameryError)) throw thrown;
      return kept;
    }
  }

  async #ask(path: string): Promise<{ readonly content: Buffer | null; readonly freshMs: number }> {
    const url = `${this.client.upstream.url}${path}`;
    using response = await this.client.request({
      url,
      signal: AbortSignal.timeout(DEADLINE_MS),
      retries: RETRIES,
      headers: { "accept-encoding": "gzip" },
    });
    const control = response.headers["cache-control"] ?? null;
    if ([404, 410, 451].includes(response.status)) return { content: null, freshMs: 60_000 };
    const told = response.status === 200 ? null : await this.client.told(response);
    if (told !== null) throw told;
    if (response.status !== 200)
      throw new CreameryError("upstream", `answers ${response.status}`, { input: shownUrl(url) });
    return {
      content: await readBody(response, MAX_INDEX_BYTES),
      freshMs: Math.max(freshness(control), 60_000),
    };
  }
}

export function isCrateName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/u.test(text);
}

/** Where an index keeps a crate: `1`, `2`, `3/a`, `ab/cd`. */
export function cratePrefix(name: string, lower = true): string {
  const text = lower ? name.toLowerCase() : name;
  if (text.length <= 2) return String(text.length);
  return text.length === 3 ? `3/${text[0]}` : `${text.slice(0, 2)}/${text.slice(2, 4)}`;
}

/** Those of another name than was asked for, and those that can't be read, are no versions of it. */
export function parseCrateLines(text: string, name: string): CrateVersion[] {
  return text.split("\n").flatMap((line) => {
    if (line.trim() === "") return [];
    try {
      const parsed = Line.parse(JSON.parse(line));
      if (parsed.name.toLowerCase() !== name.toLowerCase()) return [];
      return [{ name: parsed.name, version: parsed.vers, sha256: parsed.cksum, line }];
    } catch {
      return [];
    }
  });
}

/**
 * Configuration for a guest's cargo: all crates come from the attempt's own index.
 * @param cratesUrl absolute, ends with a slash.
 */
export function cargoConfig(cratesUrl: string): string {
  return [
    "[source.crates-io]",
    'replace-with = "creamery"',
    "",
    "[source.creamery]",
    `registry = "sparse+${cratesUrl}"`,
    "",
    "[registry]",
    'global-credential-providers = ["cargo:token"]',
    "",
    "[net]",
    "retry = 2",
    "",
  ].join("\n");
}
