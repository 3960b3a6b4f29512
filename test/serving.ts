import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/** Somebody's server, in a process of its own. */
export interface Serving extends AsyncDisposable {
  readonly name: string;
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  /** Of the command itself. */
  readonly pid: number;
}

const START_MS = 60_000;

export interface ServingCommand {
  readonly name: string;
  readonly port: number;
  readonly argv: readonly [string, ...string[]];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** Starts it and waits until it answers anything. @throws Error where it ends instead, or never answers. */
export async function serve(command: ServingCommand): Promise<Serving> {
  const { name, port, env, cwd } = command;
  const [file, ...argv] = command.argv;
  const child = spawn(file, argv, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
    cwd,
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
  let hasEnded = false;
  const ended = once(child, "exit")
    .catch((thrown: unknown) => (said += String(thrown)))
    .then(() => (hasEnded = true));
  const origin = `http://127.0.0.1:${port}`;
  const until = performance.now() + START_MS;
  while ((await fetch(origin).catch(() => null)) === null) {
    if (hasEnded || performance.now() > until) {
      child.kill("SIGTERM");
      throw new Error(`${name} does not answer at ${origin}: ${said}`);
    }
    await sleep(50);
  }
  return {
    name,
    origin,
    pid: child.pid ?? -1,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
