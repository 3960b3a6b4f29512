import type { Hono } from "hono";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { imagesPage } from "../../pages/images/images-page.ts";
import { ImageDifferences, readImages, type ShownImage } from "../../pages/images/read-images.ts";
import { KeptReading } from "../kept-reading.ts";
import type { PagesDeps, PagesEnv } from "./page-deps.ts";
import { sendPage } from "./send-page.ts";

export function imageRoutes(app: Hono<PagesEnv>, { imagesDir, elapsedMs }: PagesDeps): void {
  const differences = new ImageDifferences(imagesDir);
  const read = new KeptReading<readonly ShownImage[]>(0, elapsedMs);

  app.get("/images", async (context) => {
    const { a = "", b = "" } = context.req.query();
    const images = await read.of("", () => readImages(imagesDir));
    const isAsked = a !== "" || b !== "";
    const missing = [a, b].find((id) => !images.some((image) => image.id === id));
    if (isAsked && missing !== undefined)
      throw new CreameryError("unknown-image", "there is no such image", {
        input: clip(printableLine(missing), 100),
        nextStep: "choose two of those that the page of images shows",
      });
    const difference = isAsked ? await differences.of(a, b) : null;
    return sendPage(context, imagesPage({ images, difference }, context.get("page")));
  });
}
