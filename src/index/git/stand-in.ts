import { CreameryError } from "../../base/errors.ts";
import { NotServed } from "./reach-repository.ts";

/** Faults of the way there, for which what is kept stands in. */
const OF_THE_WAY: ReadonlySet<string> = new Set(["no-network", "upstream", "deadline"]);

/** What is kept, in the place of what can't be fetched now. @throws the fault where nothing may stand in for it. */
export function older<Kept>(
  kept: Kept | null,
  fault: CreameryError,
): Kept & { readonly stale: CreameryError } {
  if (kept === null || !mayStandIn(fault)) throw fault;
  return { ...kept, stale: fault };
}

/** Whether something older may be used where this went wrong. */
export function mayStandIn(fault: CreameryError): boolean {
  return OF_THE_WAY.has(fault.code) && !isFinal(fault);
}

/** Whether it says of upstream itself that nothing older may be used. */
export function isFinal({ cause }: CreameryError): boolean {
  return cause instanceof NotServed || isDistrusted(cause);
}

/** Somebody answers there, and is not who he should be: that is to be told, and not passed over. */
function isDistrusted(cause: unknown): boolean {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return /CERT|SIGNATURE|ERR_TLS/u.test(code);
}
