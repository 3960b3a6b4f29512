import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

import { parse, stringify } from "smol-toml";
import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { shownUrl, splitUrl } from "./secret.ts";

/** What cargo's own configuration of a person says of indexes (The Cargo Book, Configuration). */

/** In cargo's order: where both are there, it reads the first, its old name. */
const NAMES = ["config", "config.toml"] as const;

/** The text of `$CARGO_HOME`'s configuration; null when there is none. */
export async function readCargoConfiguration(env: NodeJS.ProcessEnv): Promise<string | null> {
  const home = env["CARGO_HOME"] ?? join(env["HOME"] ?? homedir(), ".cargo");
  for (const name of NAMES) {
    const text = await readFile(join(home, name), "utf8").catch(() => null);
    if (text !== null) return text;
  }
  return null;
}

/** Changes whenever the configuration does, wherever it lies: a command's own copy is in another place each time. */
export function cargoStamp(configuration: string | null): string {
  return createHash("sha256").update(JSON.stringify(configuration)).digest("hex");
}

const Text = z.string().optional().catch(undefined);
const tables = <Table extends z.ZodType>(table: Table) =>
  z.record(z.string(), table).optional().catch(undefined);
/** All that decides which index is asked; what else stands there, tokens too, is left out. */
const Indexes = z.object({
  source: tables(z.object({ registry: Text, "replace-with": Text })),
  registries: tables(z.object({ index: Text, protocol: Text })),
  registry: z.object({ default: Text, index: Text }).optional().catch(undefined),
});

/**
 * A configuration for a guest's cargo, which names the same index: only the keys that decide it, and no address with user,
 * password or query.
 * @throws CreameryError `configuration-file` when it is no TOML: the default in its place would be another index.
 */
export function cargoConfigurationForGuest(configuration: string): string {
  return stringify(withoutSecrets(indexesOf(configuration)));
}

/** The address as the configuration has it, credentials and all, where a guest's cargo named it without. */
export function asConfigured(url: string, configuration: string | null): string {
  if (configuration === null) return url;
  const { source, registries, registry } = indexesOf(configuration);
  const named = [
    ...Object.values(source ?? {}).map((table) => table.registry),
    ...Object.values(registries ?? {}).map(({ index }) => index),
    registry?.index,
  ].flatMap((text) => text?.replace(/^sparse\+/u, "") ?? []);
  return (
    named.find((text) => URL.canParse(text) && splitUrl(text).url.replace(/\/?$/u, "/") === url) ??
    url
  );
}

function indexesOf(configuration: string): z.infer<typeof Indexes> {
  try {
    return Indexes.parse(parse(configuration));
  } catch {
    // The parser's own words quote the file, which may hold a token.
    throw new CreameryError("configuration-file", "is no TOML", {
      input: "cargo's configuration",
      nextStep: "correct it, or name the index of crates in creamery.toml as upstreams.crates",
    });
  }
}

function withoutSecrets(value: unknown): unknown {
  if (typeof value === "string") {
    if (!value.includes("://")) return value;
    return URL.canParse(value) ? shownUrl(value) : "";
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([name, inner]) => [name, withoutSecrets(inner)]),
  );
}
