import type { Readable } from "node:stream";

/** The first line of what a child says. */
export function firstWords(stream: Readable): () => string {
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    if (text.length < 4000) text += chunk.toString("utf8");
  });
  return () => text.trim().split("\n").at(0)?.slice(0, 300) ?? "";
}
