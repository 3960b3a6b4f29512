import { z } from "zod";

import type { ChangeKind } from "../../model/settle-verdict.ts";
import type { Parameters } from "../shell/place.ts";

/** What the page of changes can be asked for; what is none of it is as if it had not been asked. */

export const PERIODS = [1, 7, 30] as const;

/** By the word that stands in the address. */
export const SHOWN_KINDS = {
  both: ["broke", "fixed"],
  broke: ["broke"],
  fixed: ["fixed"],
  changed: ["changed"],
} as const satisfies Readonly<Record<string, readonly ChangeKind[]>>;
export type ShownKind = keyof typeof SHOWN_KINDS;

const MAX_ROOT_CHARS = 500;

export const ChangesQuery = z.object({
  days: z.enum(["1", "7", "30"]).transform(Number).catch(7),
  kind: z.enum(["both", "broke", "fixed", "changed"]).catch("both"),
  configuration: z.string().min(1).max(40).nullable().catch(null),
  root: z.string().min(1).max(MAX_ROOT_CHARS).nullable().catch(null),
});
export type ChangesQuery = z.infer<typeof ChangesQuery>;

/** The address of the same page, with something of it changed; what is usual is left out. */
export function parametersOf(query: ChangesQuery, change: Partial<ChangesQuery> = {}): Parameters {
  const { days, kind, configuration, root } = { ...query, ...change };
  return {
    ...(days === 7 ? {} : { days: String(days) }),
    ...(kind === "both" ? {} : { kind }),
    ...(configuration === null ? {} : { configuration }),
    ...(root === null ? {} : { root }),
  };
}
