import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse as parseToml, TomlError } from "smol-toml";
import { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import { InterpreterEntry, sourced } from "./interpreters/api.ts";
import { Sha256, Words } from "./interpreters/types.ts";

const word = Words.element;

const Tool = z.strictObject({
  name: word,
  version: word,
  sha256: z.array(Sha256).min(1),
});

const Suite = z.strictObject({
  name: word,
  priority: z.int(),
  /** Only these source packages are taken from it. */
  sources: Words.optional(),
  accept_expired_release: z.boolean().default(false),
});

/** `images/NAME/image.toml`. */
export const ImageDefinition = z.strictObject({
  schema: z.literal(1),
  name: word,
  version: z.string().regex(/^\d{4}\.\d{1,2}\.\d+$/u, "must be like 2026.11.1"),
  architecture: word,
  epoch: z.int().positive(),
  needs_bytes: z.int().positive(),
  keeps_bytes: z.int().positive(),
  suites: z.array(Suite).min(1),
  packages: z.record(z.string(), Words),
  interpreters: z
    .array(InterpreterEntry)
    .min(1)
    .refine((entries) => new Set(entries.map(({ name }) => name)).size === entries.length, {
      error: "one of them is there twice",
    }),
  tools: z.array(Tool),
});
export type ImageDefinition = z.infer<typeof ImageDefinition>;

/**
 * @param directory holds image.toml and its scripts.
 * @throws CreameryError `configuration-file` naming the file, the key and the reason.
 */
export async function readDefinition(directory: string): Promise<ImageDefinition> {
  const path = join(directory, "image.toml");
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new CreameryError("configuration-file", "there is no image definition", {
      input: path,
      nextStep: "name a directory below images/",
      cause,
    });
  });
  return parseDefinition(text, path);
}

export function parseDefinition(text: string, path: string): ImageDefinition {
  let raw: unknown;
  try {
    raw = parseToml(text);
  } catch (cause) {
    const line = cause instanceof TomlError ? `line ${cause.line}: ` : "";
    throw new CreameryError("configuration-file", `${line}not TOML`, {
      input: path,
      nextStep: "mend that line",
      cause,
    });
  }
  const parsed = ImageDefinition.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const key = issue?.path.join(".") ?? "";
  throw new CreameryError(
    "configuration-file",
    `${key === "" ? "" : `${key}: `}${issue?.message ?? "invalid"}`,
    {
      input: path,
      nextStep: "mend that key (docs/images.md)",
    },
  );
}

/** Every Debian package that the definition asks for by name, each once. */
export function wantedPackages(definition: ImageDefinition): string[] {
  return [
    ...new Set([
      ...Object.values(definition.packages).flat(),
      ...definition.interpreters.flatMap((entry) => sourced(entry).packages),
    ]),
  ];
}

/** Debian packages that are unpacked beside newer ones, as `package/suite`, each once. */
export function unpackedPackages(definition: ImageDefinition): string[] {
  return [...new Set(definition.interpreters.flatMap((entry) => sourced(entry).unpacked))];
}

/** apt's preferences: which suite wins, and the few sources that come from one that otherwise never does. */
export function aptPreferences(definition: ImageDefinition): string {
  const pin = (names: string, release: string, priority: number) =>
    `Package: ${names}\nPin: release n=${release}\nPin-Priority: ${priority}\n`;
  return definition.suites
    .flatMap((suite) => [
      pin("*", suite.name, suite.priority),
      ...(suite.sources === undefined
        ? []
        : [pin(suite.sources.map((source) => `src:${source}`).join(" "), suite.name, 990)]),
    ])
    .join("\n");
}

/** apt's sources for one mirror. */
export function aptSources(definition: ImageDefinition, mirror: string, keyring: string): string {
  return definition.suites
    .map((suite) => {
      const options = [
        `signed-by=${keyring}`,
        ...(suite.accept_expired_release ? ["check-valid-until=no"] : []),
      ];
      return `deb [${options.join(" ")}] ${mirror} ${suite.name} main\n`;
    })
    .join("");
}
