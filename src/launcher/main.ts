import { spawn } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { constants as systemConstants } from "node:os";
import { join } from "node:path";

import { CreameryError, reasonOf } from "../base/errors.ts";
import { bringConfigurations } from "./bring-configurations.ts";
import { AS_FARM, directoriesFrom, makeDirectories } from "./directories.ts";
import { closeSession, openSession, type Session } from "./session.ts";

/**
 * The farm's only root process. On the way to the command line's start it does the least: directories, the session,
 * the child; what serves requests is loaded while the child starts.
 */

/** From the first signal to the end of a command line that does not stop by itself, ms. */
const STOP_MS = 10_000;
/** Signals that come so soon after one another, ms, are one: timeout(1) and npm tell a process and its group. */
const SAME_MS = 1000;

function fail(error: CreameryError): never {
  process.stderr.write(`creamery: ${error.line}\n`);
  process.exit(error.exitCode);
}

function assertPlace(): void {
  if (process.geteuid?.() !== 0) {
    throw new CreameryError("needs-root", "the launcher must be root", {
      nextStep: "run ./creamery as root or with sudo",
    });
  }
  if (sharesMounts()) {
    throw new CreameryError("launcher", "the launcher needs a mount namespace of its own", {
      nextStep: "start it with ./creamery",
    });
  }
}

/** Whether what is mounted here would be seen outside, and stay there. */
function sharesMounts(): boolean {
  try {
    if (readlinkSync("/proc/self/ns/mnt") === readlinkSync("/proc/1/ns/mnt")) return true;
  } catch {
    // Hardened hosts show nobody the namespaces of process 1; what spreads is known all the same.
  }
  const root = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .find((line) => line.split(" ")[4] === "/");
  return root === undefined || / shared:\d+/u.test(root);
}

function childEnvironment(session: Session): NodeJS.ProcessEnv {
  const directories = directoriesFrom(process.env);
  const env: NodeJS.ProcessEnv = {
    // Else glibc keeps what one thread has freed from all the others: a farm at rest has 30 MB more.
    MALLOC_ARENA_MAX: "2",
    // And else it raises by itself what it gives back at once: a mirror under load has 30 MB more, for good.
    MALLOC_MMAP_THRESHOLD_: "65536",
    MALLOC_TRIM_THRESHOLD_: "65536",
    ...process.env,
    HOME: session.exchange,
    CREAMERY_CACHE_DIR: directories.cache,
    CREAMERY_DATA_DIR: directories.data,
    CREAMERY_RUN_DIR: directories.run,
    CREAMERY_SESSION_DIR: session.directory,
    // Where the person's relative paths begin; the child's own directory is the root.
    CREAMERY_ASKER_CWD: process.cwd(),
  };
  const compiled = env["NODE_COMPILE_CACHE"];
  // Compiled code is executed: the farm's user must not be able to write what root runs.
  if (compiled !== undefined)
    env["NODE_COMPILE_CACHE"] = join(directories.cache, "compile", "farm");
  return { ...env, ...bringConfigurations(process.env, session) };
}

async function main(): Promise<void> {
  // What is made for the farm's user must be that whatever the person's umask is.
  process.umask(0o022);
  const directories = directoriesFrom(process.env);
  let session: Session;
  let childEnv: NodeJS.ProcessEnv;
  try {
    assertPlace();
    makeDirectories(directories);
    session = openSession(directories.run, join(import.meta.dirname, "..", ".."));
    childEnv = childEnvironment(session);
  } catch (thrown) {
    fail(
      thrown instanceof CreameryError
        ? thrown
        : new CreameryError("launcher", `the launcher can't begin: ${reasonOf(thrown)}`, {
            nextStep: "look at the directories with ./creamery doctor",
            cause: thrown,
          }),
    );
  }
  const entry = join(session.repository, process.env["CREAMERY_CLI_ENTRY"] ?? "src/cli/main.ts");
  // Sockets that the farm makes must be writable by the group of a guest's root.
  const umask = process.umask(0o002);
  const command = [process.execPath, ...process.execArgv, entry, ...process.argv.slice(2)];
  const child = spawn("setpriv", [...AS_FARM, ...command], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: childEnv,
    cwd: "/",
  });
  process.umask(umask);
  // Nothing is lost that the child asks before the rest is loaded.
  const early: unknown[] = [];
  const hold = (message: unknown) => early.push(message);
  child.on("message", hold);
  const closed = new Promise<number>((resolve) => {
    child.on("error", (error) => {
      process.stderr.write(`creamery: the command line can't be started: ${error.message}\n`);
      resolve(3);
    });
    child.on("exit", (code, signal) => resolve(exitCodeOf(code, signal)));
  });

  let deadline: NodeJS.Timeout | undefined;
  let toldAt = Number.POSITIVE_INFINITY;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      // A terminal tells both, `kill` only this process: twice is no harm.
      child.kill(name);
      deadline ??= setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      // Said again later on, it is meant: guests and what else is left of the command are ended below all the same.
      if (performance.now() - toldAt > SAME_MS) child.kill("SIGKILL");
      toldAt = Math.min(toldAt, performance.now());
    });
  }

  const { serve } = await import("./serve.ts");
  const service = serve({
    session,
    directories,
    env: process.env,
    send: (message) => child.connected && child.send(message),
  });
  child.off("message", hold);
  child.on("message", (message) => service.receive(message));
  for (const message of early) service.receive(message);

  const code = await closed;
  clearTimeout(deadline);
  try {
    await service.close();
  } catch (thrown) {
    process.stderr.write(
      `creamery: ${thrown instanceof CreameryError ? thrown.line : String(thrown)}\n`,
    );
  }
  closeSession(session);
  process.exit(code);
}

function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  if (code !== null) return code;
  if (signal !== "SIGKILL" && signal !== "SIGTERM" && signal !== "SIGINT" && signal !== "SIGHUP") {
    process.stderr.write(`creamery: the command line was ended by ${signal}; please report it\n`);
    return 3;
  }
  return 128 + systemConstants.signals[signal];
}

await main();
