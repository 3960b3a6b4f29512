import { escapeHtml } from "./html-page.ts";
import type { PageFormat } from "./render-page.ts";

/** `/simple/` itself (PEP 503, 691). @param names normalised. */
export function renderNames(names: readonly string[], format: PageFormat): string {
  if (format === "json" || format === "farm") {
    const projects = names.map((name) => ({ name }));
    return JSON.stringify({ meta: { "api-version": "1.0" }, projects });
  }
  const rows = names.map((name) => `<a href="${escapeHtml(name)}/">${escapeHtml(name)}</a><br>`);
  return `<!DOCTYPE html>\n<html><head><meta name="pypi:repository-version" content="1.0"><title>Projects of this mirror</title></head>\n<body>\n${rows.join("\n")}\n</body></html>\n`;
}
