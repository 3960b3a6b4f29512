import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What may stand before a command: where it is started, and how. */

/** Starts a command on a pseudo-terminal, whose output is then standard output. */
export const ON_A_TERMINAL = [
  "python3",
  "-I",
  "-c",
  "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))",
];

/** Starts a command where the host trusts this authority too; nothing of it stays. */
export function trusting(caFile: string, directory: string): readonly string[] {
  const bundle = "/etc/ssl/certs/ca-certificates.crt";
  const own = join(directory, "authorities.pem");
  writeFileSync(own, Buffer.concat([readFileSync(bundle), readFileSync(caFile)]));
  return privately('mount --bind "$1" "$2" && shift 2 && exec "$@"', own, bundle);
}

/** Starts a command by a shell script in a mount namespace of its own. */
function privately(script: string, ...words: readonly string[]): readonly string[] {
  return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", ...words];
}
