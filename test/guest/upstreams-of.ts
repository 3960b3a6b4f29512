import type { TomlTable } from "smol-toml";

/** `[upstreams]` of an index of ours. Crates too, so that no cargo is asked which index it uses. */
export function upstreamsOf(index: string): TomlTable {
  return { index, crates: `sparse+${new URL("/crates/", index).href}` };
}
