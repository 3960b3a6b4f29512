import { parseProjectPage, type ProjectPage } from "./project-page.ts";

/** The page of `spam` as an index sends it as JSON. @throws Error for a body that is no page. */
export function samplePage(body: object): ProjectPage {
  const page = parseProjectPage(
    Buffer.from(JSON.stringify(body)),
    "application/json",
    "https://index.example/simple/spam/",
    "spam",
    "https://index.example/simple/",
  );
  if (page === null) throw new Error("no page");
  return page;
}
