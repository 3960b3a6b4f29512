import type { Hono } from "hono";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { readChannels } from "../../image/channels.ts";
import { listImages } from "../../image/image-store.ts";
import type { ImageManifest } from "../../image/manifest.ts";
import { FARM } from "../../model/authorise.ts";
import { confirmPage } from "../../pages/deeds/confirm-page.ts";
import { html } from "../../pages/shell/html.ts";
import { audited } from "../api/audited.ts";
import { mustBeAllowed } from "../api/sight.ts";
import { readForm } from "./form-body.ts";
import { goOn } from "./go-on.ts";
import type { PagesDeps, PagesEnv } from "./page-deps.ts";
import { sendPage } from "./send-page.ts";

const IMAGES = { kind: "images" } as const;
/** What tests run on. */
const CHANNEL = "stable";

/** What operators do with images on pages: the launcher moves channels, as for `creamery image promote`. */
export function imageDeedRoutes(app: Hono<PagesEnv>, deps: PagesDeps): void {
  app.get("/images/:id/promote", async (context) => {
    mustBeAllowed(context, "promote-image", FARM, deps);
    const { id } = await imageOf(deps, context.req.param("id"));
    const present = (await readChannels(deps.imagesDir)).get(CHANNEL) ?? null;
    const now =
      present === null
        ? html`Nothing was promoted yet.`
        : html`<code>${CHANNEL}</code> points to <code class="breaks">${present}</code> now.`;
    const question = {
      section: "images",
      heading: "Promote this image?",
      told: html`<p class="lead"><code>${CHANNEL}</code>, which tests run on, will point to <code class="breaks">${id}</code>. ${now}</p>
<p>Hosts run on it from their next start: what runs goes on as it began. <code>creamery image rollback</code> takes it back.</p>`,
      deed: { kind: "deed", on: "image", of: id, deed: "promote" },
      button: "Promote the image",
      back: IMAGES,
    } as const;
    return sendPage(context, confirmPage(question, context.get("page")));
  });

  app.post("/images/:id/promote", async (context) => {
    const fields = await readForm(context, deps);
    const given = context.req.param("id");
    const deed = { action: "promote-image", on: FARM, subject: `image ${given}` } as const;
    await audited(context, deps, deed, async () => {
      const { id } = await imageOf(deps, given);
      await deps.promoteImage(CHANNEL, id);
      return { answer: null, detail: `${CHANNEL} is ${id}` };
    });
    return goOn(context, fields, IMAGES, { what: "promoted", count: 1 });
  });
}

/** One of those that are there: no path is made of what was asked for. @throws CreameryError `unknown-image`. */
async function imageOf(
  { imagesDir }: Pick<PagesDeps, "imagesDir">,
  given: string,
): Promise<ImageManifest> {
  const image = (await listImages(imagesDir)).find(({ id }) => id === given);
  if (image !== undefined) return image;
  throw new CreameryError("unknown-image", "there is no such image", {
    input: clip(printableLine(given), 100),
    nextStep: "`creamery image list` shows those that are there",
  });
}
