import { expect, test } from "vitest";

import { withoutAddresses } from "./said.ts";

test.each([
  ["from corp (https://index.example/repo): odd", "from corp (…): odd"],
  ["from corp (https://me:s3cret@index.example/repo): odd", "from corp (…): odd"],
  ["at https://me:p(w@index.example/repo, odd", "at … odd"],
  ["at https://me:p'w@index.example/repo", "at …"],
  [`at "HTTPS://me:p"w)@index.example"`, `at "…"`],
  ["at https://me:p@w@index.example:3128", "at …"],
  ["at https://me:s3cret@", "at …"],
  ["one http://a:b@index.example/x and socks5://c:d@index.example", "one … and …"],
  ["nothing: here // at all", "nothing: here // at all"],
])("no address is left in %j", (text, left) => {
  expect(withoutAddresses(text)).toBe(left);
});
