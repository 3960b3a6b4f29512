import type { Store, StoredAttempt } from "../../store/store.ts";
import { measure, type MeasuredAttempt } from "./measured.ts";

const PAGE = 500;
/** What is older says less of what the farm is now. */
const NEWEST = 5000;

/** What the farm's newest attempts took, of all machine kinds. */
export async function readMeasured(
  store: Pick<Store, "attempts">,
  signal: AbortSignal,
): Promise<readonly MeasuredAttempt[]> {
  const stored: StoredAttempt[] = [];
  while (stored.length < NEWEST) {
    signal.throwIfAborted();
    const olderThan = stored.at(-1)?.attempt.id;
    const page = await store.attempts({
      limit: PAGE,
      ...(olderThan === undefined ? {} : { olderThan }),
    });
    stored.push(...page);
    if (page.length < PAGE) break;
  }
  return measure(stored);
}
