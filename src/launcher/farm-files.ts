import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { z } from "zod";

import { exitCodeOf } from "../base/child.ts";
import type { KeptFile, KeptFiles } from "../image/lock/kept-files.ts";
import { splitFiles } from "../image/lock/split-files.ts";
import { AS_FARM, type Directories } from "./directories.ts";
import { faultIn } from "./child-fault.ts";
import type { Session } from "./session.ts";

const keptFileSchema = z.strictObject({ sha256: z.string(), sizeBytes: z.int().nonnegative() });
const foundSchema = z.array(keptFileSchema);
const prunedSchema = z.strictObject({ files: z.int(), bytes: z.int() });

/** What a child of farm-files-child.ts is asked. */
export const farmFilesRequest = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("find"), sha256s: z.array(z.string()) }),
  z.strictObject({ kind: z.literal("read"), files: foundSchema }),
  z.strictObject({ kind: z.literal("keep"), files: foundSchema, from: z.string() }),
  z.strictObject({ kind: z.literal("prune"), needed: z.array(z.string()) }),
]);
type Request = z.infer<typeof farmFilesRequest>;

/**
 * The files that the farm keeps in its bucket, for root to build from. The bucket is the farm's own, so root neither reads nor
 * writes there: a child with the farm's rights does, and what it says is held against hashes.
 */
export class FarmFiles implements KeptFiles {
  readonly directory: string;
  readonly #session: Pick<Session, "repository">;

  constructor(session: Pick<Session, "repository">, { data }: Pick<Directories, "data">) {
    this.#session = session;
    this.directory = data;
  }

  async find(sha256s: readonly string[], signal: AbortSignal): Promise<readonly KeptFile[]> {
    return foundSchema.parse(await this.#ask({ kind: "find", sha256s: [...sha256s] }, signal));
  }

  async take(files: readonly KeptFile[], into: string, signal: AbortSignal): Promise<void> {
    const child = this.#start({ kind: "read", files: files.map(plain) }, signal);
    try {
      await splitFiles(child.stdout, files, into, signal);
    } catch (thrown) {
      // Why it ended early is told by it alone.
      const early = child.stdout.readableEnded;
      child.stdout.destroy();
      const fault = await child.fault;
      signal.throwIfAborted();
      throw early && fault !== null ? fault : thrown;
    }
  }

  async keep(files: readonly KeptFile[], from: string, signal: AbortSignal): Promise<void> {
    await this.#ask({ kind: "keep", files: files.map(plain), from }, signal);
  }

  async prune(needed: readonly string[], signal: AbortSignal) {
    return prunedSchema.parse(await this.#ask({ kind: "prune", needed: [...needed] }, signal));
  }

  async #ask(request: Request, signal: AbortSignal): Promise<unknown> {
    const child = this.#start(request, signal);
    const [said, fault] = await Promise.all([text(child.stdout), child.fault]);
    signal.throwIfAborted();
    if (fault !== null) throw fault;
    return JSON.parse(said);
  }

  #start(request: Request, signal: AbortSignal) {
    const script = join(this.#session.repository, "src/launcher/farm-files-child.ts");
    const bucket = join(this.directory, "bucket");
    const child = spawn("setpriv", [...AS_FARM, process.execPath, script, bucket], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8" },
      cwd: "/",
      signal,
      killSignal: "SIGKILL",
    });
    const ended = exitCodeOf(child);
    const said = text(child.stderr);
    // It may end before it has read all.
    child.stdin.on("error", () => undefined).end(JSON.stringify(request));
    const fault = Promise.all([ended, said]).then(([code, words]) =>
      code === 0 ? null : faultIn(words, "bucket", "what reads and writes kept files"),
    );
    return { stdout: child.stdout, fault };
  }
}

function plain({ sha256, sizeBytes }: KeptFile): KeptFile {
  return { sha256, sizeBytes };
}
