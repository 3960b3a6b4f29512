import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { CreameryError, reasonOf } from "../base/errors.ts";

const run = promisify(execFile);

/**
 * The Debian mirror that this host's own apt uses, whatever the form of its sources (apt-get(8), indextargets).
 * @throws CreameryError `host-lacks`.
 */
export async function hostMirror(signal: AbortSignal): Promise<string> {
  const nextStep = "add a Debian mirror to /etc/apt/sources.list.d and run `apt-get update`";
  const output = await run(
    "apt-get",
    ["indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(LABEL)", "Created-By: Packages"],
    { signal },
  ).catch((cause: unknown) => {
    throw new CreameryError(
      "host-lacks",
      `apt could not say which mirror it uses: ${reasonOf(cause)}`,
      { nextStep, cause },
    );
  });
  const lines = output.stdout.split("\n").map((line) => line.split(" "));
  const debian = lines.filter(
    ([uri, origin, label]) =>
      uri !== undefined && /^https?:/u.test(uri) && origin === "Debian" && label === "Debian",
  );
  const uri =
    debian[0]?.[0] ??
    lines.find(
      ([first]) => first !== undefined && /^https?:/u.test(first) && !first.includes("security"),
    )?.[0];
  if (uri === undefined)
    throw new CreameryError("host-lacks", "this host's apt has no Debian mirror", { nextStep });
  return uri;
}
