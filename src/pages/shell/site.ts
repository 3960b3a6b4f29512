import { assetPath } from "./assets.ts";
import { pathOf, type Place } from "./place.ts";

/** Where places lie, as seen from one page: pages name places, and know no addresses. */
export interface Site {
  /** `live`: a farm that answers. `files`: pages as files, on any server or disk: nothing in them asks a farm. */
  readonly kind: "live" | "files";
  /** For a quoted attribute. Null where the place is not part of this site. */
  href(place: Place): string | null;
  /** With scheme and host, for what leaves the site (feeds, badges to copy); null where the site does not know its own. */
  address(place: Place): string | null;
}

export function fragmentOf(place: Place): string {
  return "fragment" in place && place.fragment !== undefined ? `#${place.fragment}` : "";
}

/** A farm's own pages. @param origin `https://farm.example`, as far as it is known. */
export function liveSite(origin: string | null): Site {
  const href = (place: Place): string => {
    if (place.kind === "asset") return `/${assetPath(place.name)}`;
    const path = `/${pathOf(place)}`;
    if (place.kind === "search" && place.query !== undefined)
      return `${path}?q=${encodeURIComponent(place.query)}`;
    if ("parameters" in place && place.parameters !== undefined) {
      const query = new URLSearchParams(place.parameters).toString();
      return `${query === "" ? path : `${path}?${query}`}${fragmentOf(place)}`;
    }
    return path + fragmentOf(place);
  };
  return {
    kind: "live",
    href,
    address: (place) => (origin === null ? null : `${origin}${href(place)}`),
  };
}
