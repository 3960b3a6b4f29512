import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import type { Guest, GuestSpec, Machine } from "../machine/machine.ts";
import type { Interpreter } from "../model/source.ts";
import { GUEST, INSTALLER_CACHE } from "./guest-environment.ts";
import { installerFor } from "./installer.ts";

/**
 * What the installer found out about an interpreter (it asks each one by starting it), so that no attempt needs to
 * find it out again. It is learnt in a guest of its own that runs no package's code, once for each image,
 * interpreter and machine kind, and is a cache: whatever is wrong with it, attempts go on without.
 */
export interface WarmFile {
  /** Below the installer's cache directory. */
  readonly path: string;
  readonly content: Buffer;
}

const LEARN_MS = 60_000;
const MAX_FILES = 20;
const MAX_FILE_BYTES = 256 * 1024;
const Kept = z.object({
  schema: z.literal(1),
  files: z.array(
    z.object({ path: z.string().regex(/^[\w.-]+(?:\/[\w.-]+)*$/u), base64: z.string() }),
  ),
});

export class WarmInstaller {
  readonly #directory: string;
  readonly #known = new Map<string, Promise<readonly WarmFile[]>>();

  /** @param directory the farm's own cache. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** As kept on this host, else learnt now. */
  files(
    machine: Machine,
    spec: GuestSpec,
    interpreter: Interpreter,
    signal: AbortSignal,
  ): Promise<readonly WarmFile[]> {
    if (!interpreter.uv) return Promise.resolve([]);
    const key = createHash("sha256")
      .update(JSON.stringify([machine.kind, spec.imageId, interpreter.executable]))
      .digest("hex");
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const found = this.#find(join(this.#directory, `${key.slice(0, 32)}.json`), () =>
      learn(machine, spec, interpreter, signal),
    );
    this.#known.set(key, found);
    return found;
  }

  async #find(path: string, ask: () => Promise<readonly WarmFile[]>): Promise<readonly WarmFile[]> {
    const kept = Kept.safeParse(await readFile(path, "utf8").then(jsonOf, () => null));
    if (kept.success)
      return kept.data.files.map((file) => ({
        path: file.path,
        content: Buffer.from(file.base64, "base64"),
      }));
    try {
      const files = await ask();
      const text = JSON.stringify({
        schema: 1,
        files: files.map((file) => ({
          path: file.path,
          base64: file.content.toString("base64"),
        })),
      });
      await mkdir(this.#directory, { recursive: true });
      await writeFile(`${path}.${process.pid}`, text);
      await rename(`${path}.${process.pid}`, path);
      return files;
    } catch {
      return [];
    }
  }
}

/** Puts them where the installer looks. */
export async function putWarmFiles(guest: Guest, files: readonly WarmFile[]): Promise<void> {
  await Promise.all(
    files.map(({ path, content }) =>
      guest.put(`${INSTALLER_CACHE}/${path}`, content, { mode: 0o644, owner: "job" }),
    ),
  );
}

async function learn(
  machine: Machine,
  spec: GuestSpec,
  interpreter: Interpreter,
  signal: AbortSignal,
): Promise<readonly WarmFile[]> {
  await using guest = await machine.start(spec, signal);
  const run = async (...argv: readonly string[]): Promise<string> => {
    let said = "";
    await guest.exec(
      {
        argv,
        cwd: "/job",
        env: {
          PATH: "/usr/local/bin:/usr/bin:/bin",
          HOME: GUEST.home,
          UV_CACHE_DIR: INSTALLER_CACHE,
          UV_PYTHON_DOWNLOADS: "never",
          UV_NO_CONFIG: "1",
        },
        user: "job",
        wallMs: LEARN_MS,
        silenceMs: 0,
        outputBytes: MAX_FILE_BYTES,
        events: false,
        dumpStacks: false,
      },
      {
        output: (stream, chunk) => {
          if (stream === "stdout") said += chunk.toString("utf8");
        },
      },
      signal,
    );
    return said;
  };
  await run(...installerFor(interpreter).createEnvironment());
  await run("uv", "pip", "list", "--offline", "--python", GUEST.venvPython);
  const listed = await run("find", INSTALLER_CACHE, "-path", "*/interpreter-*", "-type", "f");
  const files: WarmFile[] = [];
  for (const path of listed.trim().split("\n").slice(0, MAX_FILES)) {
    const content = path.startsWith(`${INSTALLER_CACHE}/`)
      ? await guest.get(path, MAX_FILE_BYTES)
      : null;
    if (content !== null) files.push({ path: path.slice(INSTALLER_CACHE.length + 1), content });
  }
  return files;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
