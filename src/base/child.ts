import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";

/**
 * A child's exit code once it is gone and its streams are closed; null when a signal ended it, its own or an abort's. Never
 * rejects, unlike `once(child, "close")`, which an abort's `error` makes reject while nobody may be waiting for it yet.
 */
export function exitCodeOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    // `close` follows an error too.
    child.on("error", () => undefined).once("close", (code) => resolve(code));
  });
}

/** The first line of what a child says. */
export function firstWords(stream: Readable): () => string {
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    if (text.length < 4000) text += chunk.toString("utf8");
  });
  return () => text.trim().split("\n").at(0)?.slice(0, 300) ?? "";
}
