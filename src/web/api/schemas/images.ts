import { z } from "zod";

import { CHANNELS } from "../../../image/channel-names.ts";

export const Image = z
  .object({
    id: z.string(),
    version: z.string(),
    target: z.string(),
    channels: z.array(z.enum(CHANNELS)).describe("That point to it"),
    treeSha256: z.string(),
    sizeBytes: z.int(),
    builtAt: z.string(),
    interpreters: z.array(
      z.object({
        name: z.string(),
        fullVersion: z.string(),
        builder: z.string(),
        lacks: z.array(z.string()).nullable(),
      }),
    ),
    missing: z.array(z.object({ name: z.string(), reason: z.string(), nextStep: z.string() })),
    tools: z.array(z.object({ name: z.string(), version: z.string() })),
    packages: z.int().describe("How many Debian packages are in it"),
  })
  .meta({ id: "Image" });
export type Image = z.infer<typeof Image>;
