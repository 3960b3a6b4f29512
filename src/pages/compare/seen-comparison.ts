import { basename } from "node:path";

import type { Within } from "../../model/authorise.ts";
import type { CompareVerdict } from "../../judge/compare-sides.ts";
import type { Database } from "../../store/database.ts";
import { knownNames } from "../../store/sql/visible-names.ts";

/** What a comparison has of rows, whole or in short. */
interface Compared {
  readonly a: string;
  readonly b: string;
  readonly changed: string | null;
  readonly left: number;
  readonly compared: readonly { readonly project: string; readonly verdict: CompareVerdict }[];
}

/**
 * As much of a comparison as somebody gets to see: rows of projects that are theirs to see. Null where nothing is: none of its
 * rows, or what changes is not theirs to know of. Files are named without where they lie.
 */
export async function seenComparison<Whole extends Compared>(
  database: Database,
  whole: Whole,
  within: Within,
): Promise<Whole | null> {
  const seesAll = within.private === "all" && within.allPublic;
  if (seesAll) return whole;
  const { a, b, changed } = whole;
  const names = whole.compared.map(({ project }) => project);
  const { known, visible } = await knownNames(
    database,
    changed === null ? names : [...names, changed],
    within,
  );
  // What nobody has tested yet may be anybody's, where it is a file of theirs.
  const isHidden =
    changed !== null && (known.has(changed) ? !visible.has(changed) : isFile(a) || isFile(b));
  const compared = whole.compared.filter(({ project }) => visible.has(project));
  if (isHidden || compared.length === 0) return null;
  return { ...whole, a: shownSide(a), b: shownSide(b), compared, left: 0 };
}

export function countsOf(
  compared: readonly { readonly verdict: CompareVerdict }[],
): Readonly<Record<CompareVerdict, number>> {
  const count = (verdict: CompareVerdict) =>
    compared.filter((one) => one.verdict === verdict).length;
  return {
    "newly-broken": count("newly-broken"),
    fixed: count("fixed"),
    "changed-failure": count("changed-failure"),
    unchanged: count("unchanged"),
    incomparable: count("incomparable"),
  };
}

function isFile(side: string): boolean {
  return side.endsWith(".whl") || (side.includes("/") && !side.startsWith("env:"));
}

function shownSide(side: string): string {
  return isFile(side) ? basename(side) : side;
}
