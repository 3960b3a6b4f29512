export interface Bounds {
  /** After so many ms the wait ends with this error; none for a wait that only the signal ends. */
  readonly deadline?: { readonly ms: number; readonly error: () => Error };
  readonly signal?: AbortSignal | undefined;
  /** Called before the wait ends by the signal. */
  readonly onAbort?: (() => void) | undefined;
}

/** Waits for work no longer than its bounds: the work itself goes on. @throws what it throws, the deadline's error, the signal's reason. */
export async function within<Value>(
  work: Promise<Value>,
  { deadline, signal, onAbort }: Bounds,
): Promise<Value> {
  const ended = Promise.withResolvers<never>();
  const timer =
    deadline === undefined
      ? undefined
      : setTimeout(() => ended.reject(deadline.error()), deadline.ms);
  const aborted = () => {
    onAbort?.();
    ended.reject(signal?.reason);
  };
  if (signal?.aborted === true) aborted();
  else signal?.addEventListener("abort", aborted, { once: true });
  // Nobody may be waiting for it any more when it fails.
  work.catch(() => undefined);
  try {
    // The bound first: who has given up hears of that, and not of what failed because of it.
    return await Promise.race([ended.promise, work]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", aborted);
  }
}
