import { CreameryError } from "../../base/errors.ts";
import type { IndexService } from "../../index/index-service.ts";
import { pageAt } from "../../index/past/page-at.ts";

/** An index whose projects are found as they were at an instant. */
export function datedIndex(index: IndexService, before: Date): IndexService {
  return {
    ...index,
    project: async (name, signal) => {
      const page = await index.project(name, signal, { at: before });
      if (page === null) return null;
      if (page.files.length > 0 && page.files.every(({ uploadTime }) => uploadTime === null))
        throw new CreameryError("upstream", "the index does not say when files were uploaded", {
          input: name,
          nextStep: "leave the date out, or name another index",
        });
      return pageAt(page, before);
    },
  };
}
