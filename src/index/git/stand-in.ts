import { CreameryError } from "../../base/errors.ts";
import { NotServed } from "./reach-repository.ts";

/** Faults of the way there, for which what is kept stands in. */
const OF_THE_WAY: ReadonlySet<string> = new Set(["no-network", "upstream", "deadline"]);

/** What is kept, in the place of what can't be fetched now. @throws the fault where nothing may stand in for it. */
export function older<Kept>(
  kept: Kept | null,
  fault: CreameryError,
): Kept & { readonly stale: CreameryError } {
  const { cause } = fault;
  const mayStandIn =
    OF_THE_WAY.has(fault.code) && !(cause instanceof NotServed) && !isDistrusted(cause);
  if (kept === null || !mayStandIn) throw fault;
  return { ...kept, stale: fault };
}

/** Somebody answers there, and is not who he should be: that is to be told, and not passed over. */
function isDistrusted(cause: unknown): boolean {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return /CERT|SIGNATURE|ERR_TLS/u.test(code);
}
