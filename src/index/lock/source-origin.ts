import { z } from "zod";

import { RecordedFile } from "../record/attempt-record.ts";

/** Where a source under test came from, as far as a lock can name it; a local tree comes from nowhere that others know. */
export const SourceOrigin = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("index"), file: RecordedFile }),
  z.object({
    kind: z.literal("git"),
    /** Without credentials. */
    url: z.string(),
    /** Branch, tag or commit as it was asked for; null for the default branch. */
    ref: z.string().nullable(),
    commit: z.string(),
  }),
]);
export type SourceOrigin = z.infer<typeof SourceOrigin>;
