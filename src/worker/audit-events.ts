import { z } from "zod";

import { clip, printableLine } from "../base/bounded-text.ts";
import type { FileSystemDifference } from "../machine/machine.ts";

const AuditEvent = z.object({
  e: z.literal("attempt"),
  kind: z.enum(["write", "connect", "dns"]),
  path: z.string().optional(),
  target: z.string().optional(),
});

/** Where a job may write: what changes there is no evidence of anything. */
const OWN_PLACES = /^\/(?:job|tmp|var\/tmp|home|dev\/shm|run\/user)(?:\/|$)/u;
const MAX_CHARS = 300;

/**
 * Writes outside of the job's own places, tried (as the audit hook told) or done (as the file system shows), and
 * connections that were tried; a line each: `tried to write /etc/passwd`, `changed /etc/passwd`.
 * @param told by `auditLine`. @param differences by phase.
 */
export function auditEvidence(
  told: readonly string[],
  differences: Readonly<Record<string, FileSystemDifference>>,
): string[] {
  const lines = new Set(told);
  for (const { added, changed, removed } of Object.values(differences)) {
    for (const [word, paths] of Object.entries({ added, changed, removed })) {
      for (const path of paths) if (!OWN_PLACES.test(path)) lines.add(`${word} ${path}`);
    }
  }
  return [...lines].map((line) => clip(printableLine(line), MAX_CHARS));
}

/** What one line of the event pipe, hostile, tells of: `tried to write /etc/passwd`; null for what is no such event. */
export function auditLine(line: string): string | null {
  const event = readEvent(line);
  if (event === null) return null;
  const what = event.path ?? event.target ?? "";
  const words = { write: "tried to write", dns: "looked up", connect: "tried to connect to" };
  return clip(printableLine(`${words[event.kind]} ${what}`), MAX_CHARS);
}

function readEvent(line: string): z.infer<typeof AuditEvent> | null {
  try {
    return AuditEvent.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}
