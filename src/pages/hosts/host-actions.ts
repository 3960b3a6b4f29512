import { NOTHING, type Html } from "../shell/html.ts";
import type { PageContext } from "../shell/page.ts";
import type { ShownHost } from "./hosts-page.ts";

/** What an operator can do with a host, for the last cell of its row. */
export function hostActions(_host: ShownHost, _context: PageContext): Html {
  return NOTHING;
}
