import { z } from "zod";

import { OUTCOMES } from "../../model/attempt.ts";
import { CHANGE_KINDS } from "../../model/settle-verdict.ts";
import { branchOf, sentenceOf, type ChangeNotice } from "../change-notice.ts";
import type { AttemptUrl } from "../notice-target.ts";

const url = z
  .string()
  .nullable()
  .describe("Of its page; null where the farm does not know its own address");

/** What a webhook is sent, published as docs/notice.schema.json. Fields are added, never changed or taken away. */
export const WebhookPayload = z.object({
  type: z.literal("verdict.changed"),
  timestamp: z.iso.datetime().describe("When the attempt that changed it ended"),
  data: z.object({
    project: z.string().describe("Normalised name"),
    version: z.string(),
    branch: z.string().nullable().describe("The branch or tag that was pushed; null for a release"),
    configuration: z.string(),
    kind: z
      .enum(CHANGE_KINDS)
      .describe("It passed and does no more, passes again, or fails for another reason"),
    outcome: z.enum(OUTCOMES),
    cause: z
      .string()
      .nullable()
      .describe("One of the closed list in docs/results.md; null on `pass`"),
    root: z.string().describe("What such changes are grouped by: `cffi`, `numpy 2.4`, the project"),
    sentence: z.string().describe("The same for a person"),
    attempt: z.object({ id: z.string(), url }),
    before: z.object({ id: z.string(), version: z.string(), url }),
  }),
});
export type WebhookPayload = z.infer<typeof WebhookPayload>;

/** For docs/notice.schema.json: who checks by it takes fields that are added later. */
export function webhookSchema(): unknown {
  return z.toJSONSchema(WebhookPayload, { io: "input" });
}

export function payloadOf(notice: ChangeNotice, urlOf: AttemptUrl): WebhookPayload {
  const { project, version, line, configuration, kind, outcome, cause, root, before } = notice;
  return {
    type: "verdict.changed",
    timestamp: new Date(notice.atMs).toISOString(),
    data: {
      project,
      version,
      branch: line === "" ? null : branchOf(line),
      configuration,
      kind,
      outcome,
      cause,
      root,
      sentence: sentenceOf(notice),
      attempt: { id: notice.attempt, url: urlOf(notice.attempt) },
      before: { id: before.attempt, version: before.version, url: urlOf(before.attempt) },
    },
  };
}
