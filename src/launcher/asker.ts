import { spawn } from "node:child_process";

/** The person who asked: whoever called sudo, else root. */
export interface Asker {
  readonly uid: number;
  readonly gid: number;
}

export function askerFrom(env: NodeJS.ProcessEnv): Asker {
  const uid = Number(env["SUDO_UID"] ?? 0);
  const gid = Number(env["SUDO_GID"] ?? 0);
  return Number.isSafeInteger(uid) && Number.isSafeInteger(gid)
    ? { uid, gid }
    : { uid: 65534, gid: 65534 };
}

const DEADLINE_MS = 300_000;

/**
 * A child with the rights of the person who asked; it ends with the launcher, by `signal`, or at a deadline.
 * @param detached a terminal's Ctrl-C does not reach it: only who started it ends it.
 */
export function runAs(
  { uid, gid }: Asker,
  argv: readonly string[],
  signal: AbortSignal,
  { detached = false }: { readonly detached?: boolean } = {},
) {
  const groups = uid === 0 ? ["--clear-groups"] : ["--init-groups"];
  const drop =
    uid === 0 ? [] : ["--reuid", String(uid), "--regid", String(gid), ...groups, "--no-new-privs"];
  return spawn("setpriv", [...drop, "--pdeathsig", "KILL", "--", ...argv], {
    stdio: ["pipe", "pipe", "pipe"],
    detached,
    env: { PATH: "/usr/local/bin:/usr/bin:/bin", LC_ALL: "C.UTF-8" },
    signal: AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]),
    killSignal: "SIGKILL",
  }).on("error", () => {
    // `close` follows; an abort is told by the signal itself.
  });
}
