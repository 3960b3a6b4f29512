import { constants } from "node:zlib";

import { z } from "zod";

/**
 * An archive of a store: lines of JSON, compressed with zstd. First the header, then for each table a line that names it and a
 * line for each row (cell.ts), at last the trailer, by which is seen that nothing is missing or was changed:
 *
 *     {"format":"creamery-store","version":1,"schema":5,"tables":[{"name":"project","columns":["id","name","visibility"],"rows":1,"lastNumber":"1"}]}
 *     {"table":"project"}
 *     [1,"lmdb","public"]
 *     {"end":{"rows":1,"sums":{"project":"…"},"sha256":"…"}}
 */
export const ARCHIVE_FORMAT = "creamery-store";
export const ARCHIVE_VERSION = 1;

/** Of one row: a text longer than this can't be made in one piece. */
export const MOST_LINE_BYTES = 256 * 1024 * 1024;

export const COMPRESSION = {
  params: { [constants.ZSTD_c_compressionLevel]: 6, [constants.ZSTD_c_checksumFlag]: 1 },
} as const;

const name = z.string().min(1).max(1000);
const digits = z.string().regex(/^-?\d{1,19}$/u);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/u);

/** Of any version: enough to see whether it can be read. */
export const AnyHeader = z.looseObject({
  format: z.literal(ARCHIVE_FORMAT),
  version: z.int().positive(),
});

export const ArchiveHeader = z.strictObject({
  format: z.literal(ARCHIVE_FORMAT),
  version: z.literal(ARCHIVE_VERSION),
  /** The number of the last migration that the store had seen. */
  schema: z.int().positive(),
  /** In the order in which they follow. */
  tables: z
    .array(
      z.strictObject({
        name,
        columns: z.array(name).min(1).max(2000),
        rows: z.int().nonnegative(),
        /** The last number that was given to a row; null where rows are not numbered. */
        lastNumber: digits.nullable(),
      }),
    )
    .max(10_000),
});
export type ArchiveHeader = z.infer<typeof ArchiveHeader>;
export type ArchiveTable = ArchiveHeader["tables"][number];

export const TableLine = z.strictObject({ table: name });

export const TrailerLine = z.strictObject({
  end: z.strictObject({
    rows: z.int().nonnegative(),
    /** By table (row-sum.ts). */
    sums: z.record(name, sha256),
    /** Of all lines before this one, with their newlines. */
    sha256,
  }),
});
