import type { NumberedView } from "../../queue/job-views.ts";
import { NOTHING, type Html } from "../shell/html.ts";
import type { PageContext } from "../shell/page.ts";

/** What an operator can do with a job, for the last cell of its row. */
export function jobActions(_job: NumberedView, _context: PageContext): Html {
  return NOTHING;
}
