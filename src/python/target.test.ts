import { describe, expect, it } from "vitest";
import { parseTarget } from "./target.ts";

describe("what a person may ask to be tested", () => {
  it.each([
    ["lmdb", { kind: "release", project: "lmdb", extras: [], specifiers: [] }],
    ["Zope.Interface", { kind: "release", project: "zope-interface", extras: [], specifiers: [] }],
    ["./my-project", { kind: "directory", path: "./my-project" }],
    [".", { kind: "directory", path: "." }],
    ["/srv/x", { kind: "directory", path: "/srv/x" }],
    ["dist/x-1.0.tar.gz", { kind: "archive", path: "dist/x-1.0.tar.gz", format: "sdist" }],
    [
      "x-1.0-py3-none-any.whl",
      { kind: "archive", path: "x-1.0-py3-none-any.whl", format: "wheel" },
    ],
    [
      "git+https://host.example/a/repo@v1.2",
      { kind: "git", url: "https://host.example/a/repo", ref: "v1.2", subdirectory: null },
    ],
    [
      "git+https://host.example/repo.git",
      { kind: "git", url: "https://host.example/repo.git", ref: null, subdirectory: null },
    ],
    [
      "git+https://host.example/r@x#subdirectory=sub/dir",
      { kind: "git", url: "https://host.example/r", ref: "x", subdirectory: "sub/dir" },
    ],
  ])("reads %s", (text, target) => {
    expect(parseTarget(text)).toEqual({ kind: "ok", target });
  });

  it("keeps extras and versions of a release", () => {
    const result = parseTarget("name[Extra_1]==1.0");
    expect(result).toMatchObject({
      kind: "ok",
      target: {
        kind: "release",
        project: "name",
        extras: ["extra-1"],
        specifiers: [{ operator: "==", text: "1.0" }],
      },
    });
  });

  it.each([
    "",
    "attrs=25",
    "name==",
    "-rf",
    "git+http://host.example/r",
    "git+ssh://git@host.example/r",
    "git+file:///etc",
    "git+https://user:secret@host.example/r",
    "git+https://host.example/r@--upload-pack=x",
    "git+https://host.example/r@a..b",
    "git+https://host.example/r@x#subdirectory=../..",
    "https://host.example/x",
    "a b c",
    "name @ https://host.example/x.whl",
  ])("refuses %j and says what to type", (text) => {
    const result = parseTarget(text);
    expect(result.kind).toBe("bad");
    expect(result.kind === "bad" && result.nextStep).toBeTruthy();
  });
});
