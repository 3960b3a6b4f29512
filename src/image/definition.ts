import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse as parseToml, TomlError } from "smol-toml";
import { z } from "zod";

import { CreameryError } from "../base/errors.ts";

const word = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9.+_-]*$/u, "must be one word of letters, digits and . + _ -");
const packages = z.array(word);

const Interpreter = z.strictObject({
  name: z.string().regex(/^(?:cpython|pypy)-\d+\.\d+$/u, "must be like cpython-3.13"),
  executable: z.string().regex(/^\/usr\/bin\/[a-z0-9.]+$/u, "must be a path below /usr/bin"),
  packages,
  /** Its standard library, whose byte code is compiled when the image is built. */
  library: z.string().regex(/^\/usr\/lib\/[a-z0-9.]+$/u, "must be a path below /usr/lib"),
  /**
   * Packages that can't be installed beside newer ones (they conflict by name, not by file): fetched with their
   * signatures checked, and unpacked. `package/suite`.
   */
  unpacked: z
    .array(
      z
        .string()
        .regex(/^[a-z0-9][a-z0-9.+-]*\/[a-z]+$/u, "must be like python3-distutils/bullseye"),
    )
    .default([]),
  uv: z.boolean(),
  /** Modules that this version's standard library does not have. */
  lacks: packages.default([]),
});

const Tool = z.strictObject({
  name: word,
  version: word,
  sha256: z.array(z.string().regex(/^[0-9a-f]{64}$/u, "must be a sha256 in hexadecimal")).min(1),
});

const Suite = z.strictObject({
  name: word,
  priority: z.int(),
  /** Only these source packages are taken from it. */
  sources: packages.optional(),
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
  suites: z.array(Suite).min(1),
  packages: z.record(z.string(), packages),
  interpreters: z.array(Interpreter).min(1),
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
      ...definition.interpreters.flatMap((one) => one.packages),
    ]),
  ];
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
