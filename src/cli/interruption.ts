import { CreameryError } from "../base/errors.ts";

let controller: AbortController | undefined;

/**
 * Aborted by the first Ctrl-C or SIGTERM, so that guests are stopped in good order; the launcher ends
 * what does not stop in time.
 */
export function interruption(): AbortSignal {
  if (controller === undefined) {
    const made = new AbortController();
    controller = made;
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(name, () =>
        made.abort(new CreameryError("interrupted", `interrupted by ${name}`, { signal: name })),
      );
    }
  }
  return controller.signal;
}

/** What ended this command early, if a signal did; whatever else was thrown since then only follows from it. */
export function interruptedBy(): CreameryError | null {
  const reason: unknown = controller?.signal.reason;
  return reason instanceof CreameryError ? reason : null;
}
