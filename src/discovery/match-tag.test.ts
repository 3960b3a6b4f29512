import { expect, test } from "vitest";

import { matchTag } from "./match-tag.ts";

const tags = (...names: string[]) => names.map((name) => ({ name, commit: `of ${name}` }));

test.each([
  "1.2.3",
  "v1.2.3",
  "V1.2.3",
  "release-1.2.3",
  "release/1.2.3",
  "rel_1.2.3",
  "my-pkg-1.2.3",
  "My_Pkg-v1.2.3",
  "my.pkg/v1.2.3",
  "my-pkg@1.2.3",
  "my-pkg==1.2.3",
  "v1.2.3.0",
])("%s is the tag of my-pkg 1.2.3", (name) => {
  const others = tags(
    "v1.2",
    "v1.2.30",
    "v11.2.3",
    "1.2.3rc1",
    "other-1.2.3",
    "nightly",
    "1.2.3-x",
  );
  expect(matchTag([...others, ...tags(name)], "my-pkg", "1.2.3")).toMatchObject({
    kind: "one",
    tag: name,
  });
});

test.each([`v1.2.3${".0".repeat(100)}`, `my${".-".repeat(30)}pkg-1.2.3`])(
  "a tag that is made up to be long is none: %s",
  (name) => {
    expect(matchTag(tags(name), "my-pkg", "1.2.3")).toEqual({ kind: "none" });
  },
);

test.each([
  ["1.2.3rc1", "v1.2.3-rc.1"],
  ["1.2.3.post1", "1.2.3-1"],
  ["2!1.0", "v2!1.0"],
])("%s may be written %s", (version, name) => {
  expect(matchTag(tags("v1.2.3", "v1.0", name), "x", version)).toMatchObject({ tag: name });
});

test.each([
  ["1.2.3", ["v1.2", "1.2.3.dev1", "1.2.3+local", "x1.2.3", "1.2.3-beta", "other/v1.2.3"]],
  ["1.2", ["other-1.2", "my-pkg-extra-1.2", "pkg-1.2"]],
])("nothing like %s is taken for it", (version, names) => {
  expect(matchTag(tags(...names), "my-pkg", version)).toEqual({ kind: "none" });
});

test("a tag with the project's name goes before one without, which may be another project's", () => {
  expect(matchTag(tags("v1.2", "my-pkg-1.2"), "my-pkg", "1.2")).toMatchObject({
    tag: "my-pkg-1.2",
  });
});

test("two tags of one commit are one, and of two commits none", () => {
  const same = [
    { name: "1.2", commit: "a" },
    { name: "v1.2", commit: "a" },
  ];
  expect(matchTag(same, "x", "1.2")).toMatchObject({ kind: "one", commit: "a" });
  expect(matchTag(tags("1.2", "v1.2"), "x", "1.2")).toEqual({
    kind: "several",
    tags: ["1.2", "v1.2"],
  });
});
