import { z } from "zod";

/** What is watched, and asked to be. */

export const WatchedList = z
  .object({
    watched: z.array(
      z.object({
        name: z.string().describe("Normalised; `*` for all that the index has"),
        since: z.string().describe("RFC 3339, UTC"),
      }),
    ),
  })
  .meta({ id: "WatchedList" });
export type WatchedList = z.infer<typeof WatchedList>;

export const WatchBody = z
  .strictObject({
    names: z.array(z.string().min(1).max(214)).min(1).max(1000).describe("`*` for everything"),
  })
  .meta({ id: "WatchBody" });
