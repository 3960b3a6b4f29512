import { printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import type { Store, StoredAttempt } from "../../store/store.ts";
import { openFarmStore } from "../farm/open-farm-store.ts";

const SHOWN_ATTEMPTS = 3;

/**
 * @param location of the store. @param id of an attempt, or a beginning that only one has.
 * @throws CreameryError `unknown-attempt` that names those that begin so, else the newest ones.
 */
export async function findAttempt(location: string, id: string): Promise<StoredAttempt> {
  await using store: Store = await openFarmStore(location);
  const found = await store.attempt(id);
  if (found !== null) return found;
  const input = printableLine(id).slice(0, 80);
  // `~` sorts after all that an id is made of: what begins so comes first among the older ones.
  const older = await store.attempts({ limit: SHOWN_ATTEMPTS + 1, olderThan: `${id}~` });
  const begun = older.filter(({ attempt }) => id !== "" && attempt.id.startsWith(id));
  if (begun.length > 0)
    throw new CreameryError("unknown-attempt", "several attempts of this host begin so", {
      input,
      nextStep: `write more of it: ${namesOf(begun)}`,
    });
  const newest = await store.attempts({ limit: SHOWN_ATTEMPTS });
  throw new CreameryError("unknown-attempt", "no attempt of this host begins so", {
    input,
    nextStep:
      newest.length === 0
        ? "there is none yet: run ./creamery test"
        : `the newest are ${namesOf(newest)}`,
  });
}

function namesOf(found: readonly StoredAttempt[]): string {
  const shown = found
    .slice(0, SHOWN_ATTEMPTS)
    .map(({ attempt }) => `${attempt.id} (${attempt.project} ${attempt.configuration})`);
  return [...shown, ...(found.length > SHOWN_ATTEMPTS ? ["and more"] : [])].join(", ");
}
