import { z } from "zod";

import { ImageArchive } from "../image/archive/image-archive.ts";

/** What worker and farm say to each other of images. */

/** One of the farm's images; its archive is made when it is first asked for by its id. */
export const FarmImage = z.strictObject({
  id: z.string(),
  target: z.string(),
  treeSha256: z.string().regex(/^[0-9a-f]{64}$/u),
  archive: ImageArchive.nullable(),
});
export type FarmImage = z.infer<typeof FarmImage>;

export const FarmImageList = z.strictObject({ images: z.array(FarmImage) });

export const PackedImage = FarmImage.extend({ archive: ImageArchive });
