import { join } from "node:path";

import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { CrateDocuments } from "./crate-documents.ts";
import type { FileStore, WantedFile } from "../files/file-store.ts";
import { shownUrl } from "../upstream/secret.ts";
import { UpstreamClient } from "../upstream/upstream-client.ts";
import type { Transport, Upstream } from "../upstream/upstreams.ts";

/** A sparse index of crates (RFC 2789): a file of lines for each crate, and the crates, verified by `cksum`. */

const Config = z.looseObject({
  dl: z.string().max(8000),
  "auth-required": z.boolean().optional(),
});
const Line = z.looseObject({
  name: z.string().refine(isCrateName),
  // Semantic Versioning 2.0: it becomes a part of addresses.
  vers: z.string().regex(/^[0-9][0-9A-Za-z.+-]{0,127}$/u),
  cksum: z.string().regex(/^[0-9a-f]{64}$/u),
});

const CONFIG = "config.json";

export interface CrateVersion {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  /** As the index says it, one line of JSON. */
  readonly line: string;
}

export interface CrateListing {
  readonly versions: readonly CrateVersion[];
  /** Upstream could not be asked just now: this is what it said before. */
  readonly stale: boolean;
}

export class CrateMirror {
  readonly files: FileStore;
  readonly client: UpstreamClient;
  readonly #documents: CrateDocuments;

  constructor(
    upstream: Upstream,
    transport: Transport,
    files: FileStore,
    directory: string,
    options: { readonly allow?: readonly string[]; readonly now?: () => number } = {},
  ) {
    this.client = new UpstreamClient(upstream, transport, options.allow);
    this.files = files;
    this.#documents = new CrateDocuments(
      this.client,
      join(directory, "crates"),
      isDocument,
      options.now,
    );
  }

  /** All versions of a crate; null when the index has none of that name. @throws CreameryError as `CrateDocuments`. */
  async versions(name: string): Promise<CrateListing | null> {
    const path = `${cratePrefix(name)}/${name.toLowerCase()}`;
    const { body, stale } = await this.#documents.document(path);
    return body === null ? null : { versions: parseCrateLines(body.toString("utf8"), name), stale };
  }

  /** What a version's `.crate` is and where upstream has it. */
  async wanted(version: CrateVersion): Promise<WantedFile> {
    const { body } = await this.#documents.document(CONFIG);
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
    if (config["auth-required"] === true && this.client.upstream.authorization === null)
      throw new CreameryError("upstream", "wants to know who fetches crates", {
        input: shownUrl(this.client.upstream.url),
        nextStep:
          "tokens of registries are not used: name an index that needs none, or user and password, as upstreams.crates in creamery.toml",
      });
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
}

/** @param path below the index: `config.json`, `se/rd/serde`. */
function isDocument(path: string, text: string): boolean {
  if (path !== CONFIG)
    return text.trim() === "" || parseCrateLines(text, path.split("/").at(-1) ?? "").length > 0;
  try {
    return Config.safeParse(JSON.parse(text)).success;
  } catch {
    return false;
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
