import { clip, printableLine } from "../../base/bounded-text.ts";
import { FARM } from "../../model/authorise.ts";
import { deedButton, deedLink } from "../shell/deed-form.ts";
import type { Html } from "../shell/html.ts";
import { NOTHING } from "../shell/html.ts";
import type { PageContext } from "../shell/page.ts";
import type { ShownHost } from "./hosts-page.ts";

const MAX_NAME_CHARS = 80;

/** What an operator can do with a host, for the last cell of its row. */
export function hostActions({ name, state }: ShownHost, context: PageContext): Html {
  if (!mayActOnHosts(context)) return NOTHING;
  const about = clip(printableLine(name), MAX_NAME_CHARS);
  const deed = { kind: "deed", on: "host", of: name } as const;
  switch (state) {
    case "active":
      return deedLink(context, { ...deed, deed: "drain" }, "Drain", about);
    case "draining":
    case "out-of-service":
      return deedButton(context, { ...deed, deed: "resume" }, "Resume", about);
  }
}

/** Whether who looks may drain hosts here. */
export function mayActOnHosts({ viewer }: PageContext): boolean {
  return viewer.formToken !== null && viewer.may("drain", FARM);
}
