import { CreameryError } from "../../base/errors.ts";
import type { ImageManifest } from "../manifest.ts";
import { sourced, type InterpreterEntry } from "./api.ts";
import type { BringContext, SourcedInterpreter } from "./types.ts";

/** An interpreter that is in the root file system, and not proven yet. */
export interface BroughtInterpreter {
  readonly entry: InterpreterEntry;
  readonly from: SourcedInterpreter;
}

export interface Brought {
  readonly interpreters: readonly BroughtInterpreter[];
  /** Optional ones that can't be had here and now. */
  readonly missing: ImageManifest["missing"];
}

/**
 * Brings each interpreter that did not come with the packages, one after the other. Of a lock, those that its image is without
 * are left out again, and none else.
 * @param bind for tests; what binds an entry to its source.
 * @throws CreameryError whatever keeps one that is not optional away; for any of them a hash that is another, or an archive that
 * is refused.
 */
export async function bringInterpreters(
  entries: readonly InterpreterEntry[],
  context: BringContext,
  bind: (entry: InterpreterEntry) => SourcedInterpreter = sourced,
): Promise<Brought> {
  const { locked } = context.files;
  const bound = entries.map((entry) => ({ entry, from: bind(entry) }));
  const interpreters: BroughtInterpreter[] = [];
  const missing: ImageManifest["missing"] = [];
  for (const one of bound) {
    const { name, optional } = one.entry;
    const without = locked?.missing.find((left) => left.name === name);
    if (without !== undefined) {
      missing.push(without);
      continue;
    }
    try {
      await one.from.bring(context);
      interpreters.push(one);
    } catch (thrown) {
      context.signal.throwIfAborted();
      if (!optional || locked !== null) throw thrown;
      if (!(thrown instanceof CreameryError) || !mayBeMissing(thrown)) throw thrown;
      const { message: reason, nextStep = "build the image again with --force" } = thrown;
      missing.push({ name, reason: `${one.from.origin}: ${reason}`, nextStep });
      context.progress.say("interpreters", `without ${name}: ${reason}`);
    }
  }
  return { interpreters, missing };
}

/** It could not be had. A file that is another than the pinned one is never passed over, nor is a host's full disk. */
function mayBeMissing({ code }: CreameryError): boolean {
  return (
    code === "host-lacks" || code === "no-network" || code === "upstream" || code === "deadline"
  );
}
