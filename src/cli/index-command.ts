export type IndexAction = "serve";

/**
 * `creamery index serve`: the mirror of this host's indexes, alone.
 * @returns the exit code.
 * @throws CreameryError `usage`, `configuration-file`, `host-lacks`.
 */
export async function indexCommand(
  action: IndexAction,
  given: unknown,
  signal: AbortSignal,
): Promise<number> {
  switch (action) {
    case "serve": {
      const { serveIndex } = await import("./index/serve.ts");
      return await serveIndex(given, signal);
    }
  }
}
