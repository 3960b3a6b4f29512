import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

// Upstreams are found at run time, so no public registry's host name belongs in the repository; nor does a path of
// the machine it was written on. Put together from parts, or this file would be the first to be found.
const dotted = (...parts: string[]): string => parts.join("\\.");
const FORBIDDEN = new RegExp(
  [
    dotted("pypi", "org"),
    dotted("pythonhosted", "org"),
    dotted("npmjs", "(?:org|com)"),
    dotted("registry", "yarnpkg", "com"),
    dotted("crates", "io"),
    dotted("(?:deb|ftp|security|snapshot)", "debian", "org"),
    dotted("(?:repo1?|central)", "(?:maven\\.apache\\.org|sonatype\\.com)"),
    dotted("proxy", "golang", "org"),
    ["", "tmp", "(?:spike|brief)\\b"].join("/"),
    ["(?<![\\w.])", "work", "(?:main|shared)\\b"].join("/"),
    ["", "root", "\\.pyenv"].join("/"),
  ].join("|"),
  "iu",
);

const repository = resolve(import.meta.dirname, "../..");

/** Lines of a text that name what is forbidden, as `path:line`. */
function findings(path: string, text: string): string[] {
  return text
    .split("\n")
    .flatMap((line, index) => (FORBIDDEN.test(line) ? [`${path}:${index + 1}`] : []));
}

test("a planted address and a planted path are found", () => {
  expect(findings("a", ["fine", `https://${["pypi", "org"].join(".")}/simple`].join("\n"))).toEqual(
    ["a:2"],
  );
  expect(findings("a", `see ${["", "work", "main"].join("/")}`)).toEqual(["a:1"]);
  expect(findings("a", `https://files.${["pythonhosted", "org"].join(".")}/x`)).toEqual(["a:1"]);
  expect(
    findings(
      "a",
      "https://index.example/simple, network/maintenance, application/vnd.pypi.simple.v1+json",
    ),
  ).toEqual([]);
});

test("the repository names no public registry and no path of a developer's machine", () => {
  const listed = execFileSync("git", ["-c", "safe.directory=*", "ls-files", "-z"], {
    cwd: repository,
    encoding: "utf8",
  });
  const paths = listed
    .split("\0")
    .filter((path) => path !== "" && !/\.(?:png|gz|whl|zip|bin)$/u.test(path));
  expect(paths.length).toBeGreaterThan(20);
  expect(
    paths.flatMap((path) => {
      try {
        return findings(path, readFileSync(join(repository, path), "utf8"));
      } catch {
        // Removed in the working tree.
        return [];
      }
    }),
  ).toEqual([]);
});
