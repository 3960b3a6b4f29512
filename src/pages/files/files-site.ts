import { posix } from "node:path";

import type { Place } from "../shell/place.ts";
import { fragmentOf, type Site } from "../shell/site.ts";
import { fileOf } from "./file-of.ts";

export interface FilesSiteOptions {
  /** The page that links are made on. */
  readonly from: Place;
  /** Whether a place is among the files that are written; what is in no report at all is not asked. */
  readonly has: (place: Place) => boolean;
  /** Where the files will lie: `https://pages.example/report`, without a slash at its end; null where nobody said so. */
  readonly url: string | null;
}

/** Pages as files: each link says the way from the page that it is on to a file, so that they may lie anywhere. */
export function filesSite({ from, has, url }: FilesSiteOptions): Site {
  const directory = posix.dirname(fileOf(from) ?? "");
  const file = (place: Place): string | null => {
    const path = fileOf(place);
    return path !== null && has(place) ? path : null;
  };
  return {
    kind: "files",
    href: (place) => {
      const path = file(place);
      return path === null ? null : posix.relative(directory, path) + fragmentOf(place);
    },
    address: (place) => {
      const path = file(place);
      return path === null || url === null ? null : `${url}/${path}${fragmentOf(place)}`;
    },
  };
}
