import { join, resolve } from "node:path";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { bytesText, numberText } from "../../pages/shell/numbers.ts";
import { askerCwd } from "../farm/asker-cwd.ts";
import type { UserTreeWriter } from "./user-tree-writer.ts";

/** Where the person who asked wants it. @throws CreameryError `usage`. */
export function reportPath(directory: string): string {
  if (directory !== "") return resolve(askerCwd(), directory);
  throw new CreameryError("usage", "names no directory", {
    input: directory,
    nextStep: "name a new directory, or one that a report was written to before",
  });
}

/** Where its files will lie, without a slash at its end. @throws CreameryError `usage`. */
export function reportUrl(typed: string): string {
  const url = URL.parse(typed);
  const isPlain =
    url !== null &&
    (url.protocol === "https:" || url.protocol === "http:") &&
    url.username === "" &&
    url.password === "" &&
    url.search === "" &&
    url.hash === "";
  if (isPlain) return url.href.replace(/\/+$/u, "");
  throw new CreameryError("usage", "is no address of pages", {
    input: clip(printableLine(`--url ${typed}`), 120),
    nextStep: "write it as in --url https://pages.example/report",
  });
}

/** What was written, in one line. */
export function reportLine(
  path: string,
  { files, bytes }: Pick<UserTreeWriter, "files" | "bytes">,
  { attempts, projects }: { readonly attempts: number; readonly projects: number },
): string {
  const of = `${numberText(attempts)} ${attempts === 1 ? "attempt" : "attempts"} of ${numberText(projects)} ${projects === 1 ? "project" : "projects"}`;
  return printableLine(
    `${join(path, "index.html")}: ${of}, ${numberText(files)} files, ${bytesText(bytes)}`,
  );
}
