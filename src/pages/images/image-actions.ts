import { NOTHING, type Html } from "../shell/html.ts";
import type { PageContext } from "../shell/page.ts";
import type { ShownImage } from "./read-images.ts";

/** What an operator can do with an image, below its facts. */
export function imageActions(_image: ShownImage, _context: PageContext): Html {
  return NOTHING;
}
