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
 * @param events lines of the event pipe, hostile. @param differences by phase.
 */
export function auditEvidence(
  events: readonly string[],
  differences: Readonly<Record<string, FileSystemDifference>>,
): string[] {
  const lines = new Set<string>();
  for (const event of events) {
    const parsed = readEvent(event);
    if (parsed === null) continue;
    const what = parsed.path ?? parsed.target ?? "";
    lines.add(
      parsed.kind === "write"
        ? `tried to write ${what}`
        : parsed.kind === "dns"
          ? `looked up ${what}`
          : `tried to connect to ${what}`,
    );
  }
  for (const { added, changed, removed } of Object.values(differences)) {
    for (const [word, paths] of Object.entries({ added, changed, removed })) {
      for (const path of paths) if (!OWN_PLACES.test(path)) lines.add(`${word} ${path}`);
    }
  }
  return [...lines].map((line) => clip(printableLine(line), MAX_CHARS));
}

function readEvent(line: string): z.infer<typeof AuditEvent> | null {
  try {
    return AuditEvent.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}
