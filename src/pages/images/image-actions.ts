import { FARM } from "../../model/authorise.ts";
import { deedLink } from "../shell/deed-form.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { PageContext } from "../shell/page.ts";
import type { ShownImage } from "./read-images.ts";

/** What an operator can do with an image, below its facts. */
export function imageActions({ id, channels }: ShownImage, context: PageContext): Html {
  const { viewer } = context;
  const isThere = channels.includes("stable");
  if (isThere || viewer.formToken === null || !viewer.may("promote-image", FARM)) return NOTHING;
  const place = { kind: "deed", on: "image", of: id, deed: "promote" } as const;
  return html`<p class="deeds">${deedLink(context, place, "Promote", id)}</p>`;
}
