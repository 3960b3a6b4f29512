import { expect, test } from "vitest";

import { showsColour } from "./shows-colour.ts";

test.each([
  [true, { TERM: "xterm" }, true],
  [true, {}, true],
  [true, { NO_COLOR: "" }, true],
  [true, { NO_COLOR: "1" }, false],
  [true, { TERM: "dumb" }, false],
  [false, { TERM: "xterm" }, false],
  [undefined, {}, false],
])("a terminal: %s, with %j: %s", (isTTY, env, colour) => {
  expect(showsColour(isTTY === undefined ? {} : { isTTY }, env)).toBe(colour);
});
