import { expect, test } from "vitest";

import { LauncherClient } from "../../launcher/client.ts";
import { toLauncherSchema } from "../../launcher/protocol.ts";
import { assertReportPlace } from "./assert-report-place.ts";

const THERE: Readonly<Record<string, string>> = {
  "/home/me": "directory",
  "/home/me/dir": "directory",
  "/home/me/old.xml": "file",
  "/home/me/pipe": "other",
};

/** A launcher that knows what is there. */
function launcher(): LauncherClient {
  const client = new LauncherClient("/nowhere", (message) => {
    const parsed = toLauncherSchema.parse(message);
    if ("abort" in parsed || parsed.request.kind !== "probe-user-path") return;
    const { id, request } = parsed;
    const what = THERE[request.path];
    const missing = { code: "no-such-path", reason: "is not there" };
    const hidden = { code: "unreadable-path", reason: "lies where you may not look" };
    client.receive(
      what === undefined
        ? { id, error: request.path.startsWith("/hidden") ? hidden : missing }
        : { id, value: { what } },
    );
  });
  return client;
}

const place = (typed: string) =>
  assertReportPlace(typed, launcher(), { CREAMERY_ASKER_CWD: "/home/me" });

test.each(["new.xml", "old.xml", "./dir/new.xml", "/home/me/new.xml"])("%s is a place", (typed) =>
  expect(place(typed)).resolves.toBeUndefined(),
);

test.each([
  ["dir", "/home/me/dir: is a directory"],
  ["dir/", "/home/me/dir: is a directory"],
  ["none/", "/home/me/none: is a directory"],
  ["", "/home/me: is a directory"],
  ["pipe", "/home/me/pipe: is there and no file"],
  ["none/new.xml", "/home/me/none/new.xml: can't be written: its directory is not there"],
  ["old.xml/new.xml", "/home/me/old.xml/new.xml: can't be written: its directory is not there"],
  ["/hidden/new.xml", "/hidden/new.xml: can't be written: lies where you may not look"],
])("%j is none: %s", async (typed, line) => {
  const outcome: unknown = await place(typed).catch((thrown: unknown) => thrown);
  expect(outcome).toMatchObject({ code: "output-file", exitCode: 2 });
  expect(outcome).toHaveProperty("line", expect.stringContaining(line));
});
