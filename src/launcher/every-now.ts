const PROGRESS_MS = 10_000;

/** Tells of bytes every ten seconds. */
export function everyNow(tell: (bytes: number) => void): (bytes: number) => void {
  let toldAtMs = performance.now();
  return (bytes) => {
    const now = performance.now();
    if (now - toldAtMs < PROGRESS_MS) return;
    toldAtMs = now;
    tell(bytes);
  };
}
