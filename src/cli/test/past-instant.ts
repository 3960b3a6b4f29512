import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { parseInstant } from "../../index/past/instant.ts";

const NEXT = "write 2025-06-01 (its midnight in UTC) or 2025-06-01T12:00:00Z";

/**
 * What was typed after `--at`. One that is to come is refused: of it nobody knows what the index will have.
 * @throws CreameryError `usage`.
 */
export function pastInstant(typed: string, now: Date): Date {
  const input = `--at ${clip(printableLine(typed), 60)}`;
  const at = parseInstant(typed);
  if (at === null) throw new CreameryError("usage", "is no instant", { input, nextStep: NEXT });
  if (at > now)
    throw new CreameryError("usage", "is yet to come", {
      input,
      nextStep: "name an instant of the past",
    });
  return at;
}
