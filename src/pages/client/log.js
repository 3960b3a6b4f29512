// A page with a log: see docs/pages.md. Without it, a log is read page by page.
document.querySelectorAll(".log-panel").forEach(() => undefined);
