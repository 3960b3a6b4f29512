import { expect, test } from "vitest";

import { reportLine, reportUrl } from "./report-place.ts";

test("an address of pages is one without anything that is no part of each page's own", () => {
  expect(reportUrl("https://Pages.example/a b//")).toBe("https://pages.example/a%20b");
  expect(reportUrl("http://pages.example")).toBe("http://pages.example");
  for (const wrong of [
    "",
    "pages.example",
    "ftp://pages.example",
    "javascript:alert(1)",
    "https://me:secret@pages.example",
    "https://pages.example/?a=b",
    "https://pages.example/#x",
  ])
    expect(() => reportUrl(wrong), wrong).toThrow("is no address of pages");
});

test("what was written is told in one line", () => {
  const one = { attempts: 1, projects: 1 };
  expect(reportLine("/home/me/out\n", { files: 12, bytes: 3400 }, one)).toBe(
    "/home/me/out\\n/index.html: 1 attempt of 1 project, 12 files, 3.4 kB",
  );
});
