import { z } from "zod";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { Sha256 } from "../interpreters/types.ts";
import type { KeptFile } from "./kept-files.ts";

/** A lock of 400 files is 100 kB. */
export const MAX_LOCK_BYTES = 4 << 20;
const MAX_FILES = 10_000;
const MAX_FILE_BYTES = 2_000_000_000;

/** What is named as a file in a directory of the build: one plain name. */
const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,199}$/u, "must be one plain name");
const anyFileName = z
  .string()
  .regex(/^(?!\.{1,2}$)[^/\p{Cc}]{1,200}$/u, "must be a name and no path");
const line = z
  .string()
  .max(2000)
  .regex(/^[^\p{Cc}]+$/u, "must be one line")
  .refine((text) => !text.includes("://"), "must hold no address");
const file = {
  sha256: Sha256,
  sizeBytes: z.int().nonnegative().max(MAX_FILE_BYTES),
};
const architecture = z.string().regex(/^[a-z0-9-]{1,40}$/u, "must be an architecture of Debian's");

const LockedPackage = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9.+-]{0,199}$/u, "must be the name of a Debian package"),
  version: z.string().regex(/^[A-Za-z0-9.+:~-]{1,200}$/u, "must be a version of a Debian package"),
  architecture,
  ...file,
  /** `unpack` for one that can't be installed beside newer ones. */
  use: z.enum(["install", "unpack"]),
  /** Whether apt took it for essential: it does where any suite has a version of it that is. */
  essential: z.literal(true).optional(),
});
export type LockedPackage = z.infer<typeof LockedPackage>;

const LockedTool = z.strictObject({ name: fileName, version: fileName, ...file });
export type LockedTool = z.infer<typeof LockedTool>;

const LockedArchive = z.strictObject({
  interpreter: z.string().regex(/^(?:cpython|pypy)-\d+\.\d+$/u, "must be like cpython-3.13"),
  /** As uv calls it; of what uv installs alone. */
  file: fileName.optional(),
  ...file,
});
export type LockedArchive = z.infer<typeof LockedArchive>;

/** Every file that an image was made of, and what came of them. It says of none where it was fetched. */
export const ImageLock = z
  .strictObject({
    schema: z.literal(1),
    /** `2026.11.2+1a2b3c4d` */
    id: z.string().regex(/^\d{4}\.\d{1,2}\.\d{1,9}\+[0-9a-f]{8}$/u, "must be an image's id"),
    /** `linux-x86_64` */
    target: fileName,
    architecture,
    treeSha256: Sha256,
    /** Whose code built it: what that does to a tree is part of what the tree is. */
    by: line,
    definition: z.strictObject({
      /** Of all its files (`definitionHash`). */
      sha256: Sha256,
      files: z
        .array(z.strictObject({ name: anyFileName, ...file }))
        .min(1)
        .max(100)
        .refine((files) => areApart(files, ({ name }) => name), "has one of them twice"),
    }),
    packages: z
      .array(LockedPackage)
      .max(MAX_FILES)
      .refine(
        (packages) => areApart(packages, (one) => (one.use === "install" ? one.name : whatOf(one))),
        "has one of them twice",
      ),
    tools: z
      .array(LockedTool)
      .max(1000)
      .refine((tools) => areApart(tools, ({ name }) => name), "has one of them twice"),
    /** Archives of interpreters that are no packages. */
    archives: z
      .array(LockedArchive)
      .max(1000)
      .refine((archives) => areApart(archives, (one) => one.interpreter), "has one of them twice"),
    /** Optional interpreters that the image is without. */
    missing: z.array(z.strictObject({ name: line, reason: line, nextStep: line })).max(1000),
  })
  .refine(({ id, treeSha256 }) => id.endsWith(`+${treeSha256.slice(0, 8)}`), {
    path: ["id"],
    error: "is not that of treeSha256",
  })
  .refine(
    (lock) => lock.packages.every((one) => ["all", lock.architecture].includes(one.architecture)),
    { path: ["packages"], error: "has one of another architecture" },
  )
  .refine((lock) => agreeOnSizes(lock), {
    path: ["sizeBytes"],
    error: "one file has two of them",
  });
export type ImageLock = z.infer<typeof ImageLock>;

function areApart<T>(entries: readonly T[], keyOf: (entry: T) => string): boolean {
  return new Set(entries.map(keyOf)).size === entries.length;
}

function whatOf({ name, version, architecture: of }: Omit<LockedPackage, "sha256">): string {
  return `${name} ${version} ${of}`;
}

/** One file of a lock, as a person knows it. */
export interface LockedFile extends KeptFile {
  readonly what: string;
}

type Files = Pick<ImageLock, "definition" | "packages" | "tools" | "archives">;

type Sizes = Readonly<Record<"packages" | "tools" | "archives", readonly KeptFile[]>> & {
  readonly definition: { readonly files: readonly KeptFile[] };
};

/** Each file that a lock names, once. */
export function lockedFiles({ definition, packages, tools, archives }: Files): LockedFile[] {
  const all = [
    ...definition.files.map((one) => ({ ...one, what: one.name })),
    ...packages.map((one) => ({ ...one, what: whatOf(one) })),
    ...tools.map((one) => ({ ...one, what: `${one.name} ${one.version}` })),
    ...archives.map((one) => ({ ...one, what: `the archive of ${one.interpreter}` })),
  ].map(({ sha256, sizeBytes, what }) => ({ sha256, sizeBytes, what }));
  return [...new Map(all.map((one) => [one.sha256, one])).values()];
}

function agreeOnSizes({ definition, packages, tools, archives }: Sizes): boolean {
  const all = [...definition.files, ...packages, ...tools, ...archives];
  const sizes = new Map(all.map(({ sha256, sizeBytes }) => [sha256, sizeBytes]));
  return all.every(({ sha256, sizeBytes }) => sizes.get(sha256) === sizeBytes);
}

/** @param input the file's name, for a person. @throws CreameryError `configuration-file` naming the key and the reason. */
export function parseLock(text: string, input: string): ImageLock {
  const refused = (reason: string, cause: unknown) =>
    new CreameryError("configuration-file", reason, {
      input,
      nextStep: "take the lock as `creamery image lock` wrote it",
      cause,
    });
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw refused("is no lock of an image: not JSON", cause);
  }
  const parsed = ImageLock.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const key = issue?.path.join(".") ?? "";
  const reason = `${key === "" ? "" : `${key}: `}${issue?.message ?? "invalid"}`;
  throw refused(`is no lock of an image: ${clip(printableLine(reason), 300)}`, parsed.error);
}

/** A file to a line, so that two locks can be compared by what compares lines. */
export function renderLock(lock: ImageLock): string {
  const list = (entries: readonly object[], indent: string) =>
    entries.length === 0
      ? "[]"
      : `[\n${entries.map((one) => `${indent}  ${JSON.stringify(one)}`).join(",\n")}\n${indent}]`;
  const { definition, packages, tools, archives, missing, ...head } = lock;
  const { files, ...rest } = definition;
  const lines = [
    ...Object.entries(head).map(
      ([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`,
    ),
    `  "definition": {\n    "sha256": ${JSON.stringify(rest.sha256)},\n    "files": ${list(files, "    ")}\n  }`,
    ...Object.entries({ packages, tools, archives, missing }).map(
      ([key, entries]) => `  ${JSON.stringify(key)}: ${list(entries, "  ")}`,
    ),
  ];
  return `{\n${lines.join(",\n")}\n}\n`;
}
