import type { ConfiguredRepository } from "../../model/config/webhooks-table.ts";
import type { PushedReference } from "./delivery.ts";

/** At most so many of one push are tested: the newest wins in the queue anyway. */
const MAX_WANTED = 32;

/** Those references of a push that the operator has tested; `HEAD` always, as who names no branch means the default one. */
export function wantedReferences(
  references: readonly PushedReference[],
  { branches, tags }: ConfiguredRepository,
): readonly PushedReference[] {
  return references
    .filter(({ deleted }) => !deleted)
    .filter(({ name, kind }) =>
      kind === "tag" ? tags : name === "HEAD" || branches.some((branch) => fits(name, branch)),
    )
    .slice(0, MAX_WANTED);
}

/** Whether a name is `pattern`, in which `*` is any characters. In time that grows with their product alone. */
function fits(name: string, pattern: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return name === pattern;
  if (!name.startsWith(first) || name.length < first.length + last.length) return false;
  let from = first.length;
  for (const part of rest) {
    const at = name.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return name.endsWith(last) && name.length - last.length >= from;
}
