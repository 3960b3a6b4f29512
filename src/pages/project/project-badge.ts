import { clip, printableLine } from "../../base/bounded-text.ts";
import type { Badge } from "../charts/badge-svg.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { wordOf, type Look } from "../shell/words.ts";
import type { MatrixRow } from "./matrix.ts";
import { passCount } from "./read-matrix.ts";

export const BADGE_LABEL = "creamery";

/** For what the farm does not know, or not for everybody. */
export const UNKNOWN_BADGE: Badge = { label: BADGE_LABEL, message: "unknown", colour: "grey" };

/** How the release that people get stands. @param configuration only on this one. */
export function projectBadge(row: MatrixRow | null, configuration: string | null): Badge {
  if (row === null) return { label: BADGE_LABEL, message: "not tested yet", colour: "grey" };
  if (configuration !== null) return onOne(row.cells.get(configuration)?.look, configuration);
  const looks = [...row.cells.values()].map(({ look }) => look);
  const { passing, of } = passCount(looks);
  if (of === 0) {
    const message = looks.every((look) => look === "skip") ? "skipped" : "no verdict yet";
    return { label: BADGE_LABEL, message, colour: "grey" };
  }
  return {
    label: BADGE_LABEL,
    message: `passes on ${passing} of ${of}`,
    colour: passing === of ? "green" : passing === 0 ? "red" : "orange",
  };
}

function onOne(look: Look | undefined, configuration: string): Badge {
  const label = clip(printableLine(`${BADGE_LABEL} ${configurationWords(configuration)}`), 60);
  if (look === undefined) return { label, message: "not tested", colour: "grey" };
  const { passing, of } = passCount([look]);
  return {
    label,
    message: wordOf(look),
    colour: of === 0 ? "grey" : passing === 1 ? "green" : "red",
  };
}
