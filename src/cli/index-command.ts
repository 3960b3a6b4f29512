export type IndexAction = "serve" | "stats" | "verify" | "prefetch" | "gc";

/**
 * `creamery index …`: the mirror of this host's indexes, alone, and what it keeps.
 * @returns the exit code.
 * @throws CreameryError `usage`, `configuration-file`, `host-lacks`.
 */
export async function indexCommand(
  action: IndexAction,
  names: readonly string[],
  given: unknown,
  signal: AbortSignal,
): Promise<number> {
  switch (action) {
    case "serve": {
      const { serveIndex } = await import("./index/serve.ts");
      return await serveIndex(given, signal);
    }
    case "stats": {
      const { indexStats } = await import("./index/stats.ts");
      return await indexStats(given, signal);
    }
    case "verify": {
      const { verifyKeptIndex } = await import("./index/verify.ts");
      return await verifyKeptIndex(given, signal);
    }
    case "prefetch": {
      const { prefetchIndex } = await import("./index/prefetch.ts");
      return await prefetchIndex(names, given, signal);
    }
    case "gc": {
      const { gcIndex } = await import("./index/gc.ts");
      return await gcIndex(given, signal);
    }
  }
}
