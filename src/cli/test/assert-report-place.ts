import { dirname, resolve } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import type { LauncherReply } from "../../launcher/protocol.ts";
import { askerCwd } from "../farm/asker-cwd.ts";

/**
 * That a report can be where `--junit` says, told before anything is run: its directory is there, and the path itself is a
 * file or nothing yet. What may be written there only the writing tells.
 * @param typed relative to where the person who asked is.
 * @throws CreameryError `output-file`.
 */
export async function assertReportPlace(
  typed: string,
  launcher: Pick<LauncherClient, "request">,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const path = resolve(askerCwd(env), typed);
  const refused = (reason: string, nextStep: string) =>
    new CreameryError("output-file", reason, { input: path, nextStep });
  const what = await probe(path, launcher);
  // `resolve` takes a slash away that says what was meant.
  if (what === "directory" || typed === "" || typed.endsWith("/"))
    throw refused("is a directory", "name a file in it, as in report.xml");
  if (what === "other") throw refused("is there and no file", "name a file");
  if (what === null && (await probe(dirname(path), launcher)) !== "directory")
    throw refused("can't be written: its directory is not there", "make it first");
}

/** Null for what is not there. */
async function probe(
  path: string,
  launcher: Pick<LauncherClient, "request">,
): Promise<LauncherReply<"probe-user-path">["what"] | null> {
  try {
    return (await launcher.request({ kind: "probe-user-path", path })).what;
  } catch (thrown) {
    if (!(thrown instanceof CreameryError)) throw thrown;
    if (thrown.code === "no-such-path") return null;
    const { nextStep, message } = thrown;
    throw thrown.code === "unreadable-path"
      ? new CreameryError("output-file", `can't be written: ${message}`, {
          input: path,
          ...(nextStep === undefined ? {} : { nextStep }),
          cause: thrown,
        })
      : thrown;
  }
}
