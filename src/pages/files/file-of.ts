import { assetPath } from "../shell/assets.ts";
import type { Place } from "../shell/place.ts";
import { safeName } from "./safe-name.ts";

/**
 * Where a place lies among the files of a report: names that need no encoding in an address, so that a path is an address too.
 * Null for what only a farm that answers has.
 */
export function fileOf(place: Place): string | null {
  if ("parameters" in place && Object.keys(place.parameters ?? {}).length > 0)
    return olderReleases(place);
  switch (place.kind) {
    case "home":
      return "index.html";
    case "changes":
    case "images":
    case "about":
      return `${place.kind}/index.html`;
    case "changes-feed":
      return "changes/feed.xml";
    case "search":
      return "projects/index.html";
    case "project":
      return `p/${safeName(place.project)}/index.html`;
    case "release":
      return `p/${safeName(place.project)}/${safeName(place.version)}/index.html`;
    case "attempt":
      return `a/${safeName(place.id)}/index.html`;
    case "log":
      return `a/${safeName(place.id)}/log/${place.page}/index.html`;
    case "download":
      return `a/${safeName(place.id)}/${place.what}`;
    case "feed":
      return `p/${safeName(place.project)}/feed.xml`;
    case "matrix":
      return `p/${safeName(place.project)}/matrix.svg`;
    case "badge":
      return `badge/${safeName(place.project)}.svg`;
    case "shields":
      return `badge/${safeName(place.project)}.json`;
    case "asset":
      // Browsers run no modules from a disk, and pages need none.
      return place.name.endsWith(".js") ? null : assetPath(place.name);
    case "queue":
    case "hosts":
    case "login":
    case "login-provider":
    case "logout":
    case "watched":
    case "enqueue":
    case "deed":
    case "log-part":
    case "comparisons":
    case "comparison":
    case "comparison-json":
      return null;
  }
}

/** What is asked for by name needs somebody who answers, but for a project's older releases. */
function olderReleases(place: Place): string | null {
  if (place.kind !== "project") return null;
  const { before, ...rest } = place.parameters ?? {};
  return before === undefined || Object.keys(rest).length > 0
    ? null
    : `p/${safeName(place.project)}/before/${safeName(before)}/index.html`;
}
