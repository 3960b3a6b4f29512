import type { ChangeKind } from "../../model/settle-verdict.ts";
import type { ChangedProjects, ChangeGroups } from "../../store/sql/change-groups.ts";
import { numberText } from "../shell/numbers.ts";
import { rootWords } from "./change-words.ts";

/** `In the last 7 days 12 projects broke and 5 were fixed; 7 of the 12 since setuptools 82.` */
export function changesSentence(
  counts: ChangedProjects & Pick<ChangeGroups, "largest">,
  { days, kinds }: { readonly days: number; readonly kinds: readonly ChangeKind[] },
): string {
  const period = days === 1 ? "In the last day" : `In the last ${days} days`;
  const isQuiet = kinds.every((kind) => counts[kind] === 0);
  const parts = kinds.map((kind, place) =>
    isQuiet ? QUIET[kind] : phrase(kind, counts[kind], place === 0),
  );
  return `${period} ${parts.join(" and ")}${shared(counts)}.`;
}

const QUIET: ChangedWords = {
  broke: "nothing broke",
  fixed: "nothing was fixed",
  changed: "nothing failed otherwise than before",
};
type ChangedWords = Readonly<Record<ChangeKind, string>>;

function phrase(kind: ChangeKind, count: number, isFirst: boolean): string {
  const isOne = count === 1;
  const number = count > 0 ? numberText(count) : isFirst ? "no" : "none";
  const who = isFirst ? `${number} ${isOne ? "project" : "projects"}` : number;
  switch (kind) {
    case "broke":
      return `${who} broke`;
    case "fixed":
      return `${who} ${isOne ? "was" : "were"} fixed`;
    case "changed":
      return `${who} ${isOne ? "fails" : "fail"} otherwise than before`;
  }
}

/** What most of those that broke have in common, where that is more than one project. */
function shared({ broke, largest }: Pick<ChangeGroups, "broke" | "largest">): string {
  if (largest === null || largest.broke < 2) return "";
  const who =
    largest.broke === broke
      ? `all ${numberText(broke)}`
      : `${numberText(largest.broke)} of the ${numberText(broke)}`;
  return `; ${who} ${rootWords(largest.root)}`;
}
