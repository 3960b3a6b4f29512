import type { Builder } from "../../model/source.ts";

/** Who built an interpreter, as words that go after "by". */
export const BUILDER_WORDS: Readonly<Record<Builder, string>> = {
  debian: "Debian",
  upstream: "its makers",
  other: "somebody else",
};
