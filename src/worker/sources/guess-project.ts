import { isName, normaliseName } from "../../python/names.ts";

/** A project's name made of a directory's or a repository's: a guess that serves until the metadata is built. */
export function guessProject(name: string): string {
  const word = name
    .replaceAll(/[^A-Za-z0-9._-]+/gu, "-")
    .slice(0, 100)
    .replaceAll(/^[._-]+|[._-]+$/gu, "");
  return isName(word) ? normaliseName(word) : "project";
}
