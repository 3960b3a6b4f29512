import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { CreameryError } from "../base/errors.ts";
import { printableLine } from "../base/bounded-text.ts";

export interface Step {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: Buffer;
  /** For the error: what failed. */
  readonly what: string;
  readonly nextStep: string;
  readonly signal: AbortSignal;
  readonly onLine?: (line: string) => void;
}

const TAIL_LINES = 40;

/**
 * Runs one program of an image build and answers with the last lines of its output. When the signal
 * aborts, its whole process group is ended and waited for.
 * @throws CreameryError `image-build` with the line of the output that tells most.
 */
export async function runStep(step: Step): Promise<string[]> {
  const { signal } = step;
  signal.throwIfAborted();
  const [program = "", ...rest] = step.argv;
  const child = spawn(program, rest, {
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8", TMPDIR: "/tmp", ...proxies(), ...step.env },
  });
  const tail: string[] = [];
  const take = (line: string) => {
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
    step.onLine?.(line);
  };
  const readers = [child.stdout, child.stderr].map((stream) => createInterface({ input: stream }).on("line", take));
  child.stdin.on("error", () => {});
  child.stdin.end(step.stdin);
  const end = () => endGroup(child.pid);
  signal.addEventListener("abort", end, { once: true });
  try {
    const [code] = await once(child, "close");
    signal.throwIfAborted();
    if (code !== 0) {
      const telling = tail.findLast((line) => /^(?:E:|Err:|.*(?:rror|failed|cannot))/u.test(line)) ?? tail.at(-1) ?? "no output";
      throw new CreameryError("image-build", `${step.what} failed: ${printableLine(telling).slice(0, 300)}`, { nextStep: step.nextStep, cause: tail.join("\n") });
    }
    return tail;
  } catch (thrown) {
    signal.throwIfAborted();
    if (thrown instanceof CreameryError) throw thrown;
    throw new CreameryError("host-lacks", `${program} could not be run`, { nextStep: "run `./creamery doctor`", cause: thrown });
  } finally {
    signal.removeEventListener("abort", end);
    for (const reader of readers) reader.close();
  }
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGTERM");
    setTimeout(() => {
      try {
        process.kill(-pid, "SIGKILL");
      } catch {
        // Gone by itself.
      }
    }, 5_000).unref();
  } catch {
    // Gone already.
  }
}

/** What a host behind a proxy needs to reach its mirror; nothing else of the environment is handed on. */
function proxies(): Record<string, string> {
  const names = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
}
