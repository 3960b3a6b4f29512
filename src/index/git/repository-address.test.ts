import { expect, test } from "vitest";

import { normaliseRepositoryUrl } from "./repository-address.ts";

test.each([
  ["https://Git.Example:443/a/b.git/", "https://git.example/a/b.git"],
  ["https://[2001:DB8::1]:8443/a", "https://[2001:db8::1]:8443/a"],
  ["https://my_forge.example./a", "https://my_forge.example./a"],
])("%s is one repository, %s", (written, normalised) => {
  expect(normaliseRepositoryUrl(written)).toBe(normalised);
});

// To git's curl an address that is to be used for `-x` is one to be forgotten: it would ask a resolver again.
test.each(["https://-x.example/a", "https://+x.example/a", "https://*/a", "https://a,b.example/a"])(
  "%s is no address of a repository",
  (written) => {
    expect(() => normaliseRepositoryUrl(written)).toThrow(/is no address of a repository/u);
  },
);
