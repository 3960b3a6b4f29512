import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The Python that a person would use on this host. */
export const HOST_PYTHON = "python3";

export const PACKAGING =
  "packaging==26.4 --hash=sha256:81383611a09c1bc0b08b76e0fd5829d7c6824c65b27a6aee339da133f4233ea2";
/** That of the image. */
export const UV =
  "uv==0.13.9 --hash=sha256:d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19";

export interface HostTools {
  /** For PYTHONPATH. */
  readonly library: string;
  /** Runs a program of this host's, or of these tools; with its standard output. */
  readonly run: (command: string, argv: readonly string[], cwd?: string) => Promise<string>;
}

async function configured(key: string): Promise<string> {
  const asked = run(HOST_PYTHON, ["-m", "pip", "config", "get", key]);
  return (await asked.catch(() => ({ stdout: "" }))).stdout.trim();
}

/** What a maintainer may have: wheels from the index of this host's pip, by hash, below a directory and nowhere else. */
export async function bringTools(
  directory: string,
  requirements: readonly string[],
): Promise<HostTools> {
  const library = join(directory, "tools");
  mkdirSync(library, { recursive: true });
  const file = join(directory, "requirements.txt");
  writeFileSync(file, requirements.map((line) => `${line}\n`).join(""));
  const pip = ["-m", "pip", "--no-input", "--disable-pip-version-check", "install", "--quiet"];
  const wheels = ["--no-deps", "--only-binary", ":all:", "--require-hashes"];
  await run(HOST_PYTHON, [...pip, ...wheels, "--target", library, "-r", file]);
  // uv reads no configuration of pip's.
  const index = process.env["PIP_INDEX_URL"] ?? (await configured("global.index-url"));
  return {
    library,
    run: async (command, argv, cwd) => {
      const { stdout } = await run(command, [...argv], {
        ...(cwd === undefined ? {} : { cwd }),
        maxBuffer: 64 << 20,
        env: {
          ...process.env,
          PATH: `${join(library, "bin")}:${process.env["PATH"] ?? ""}`,
          PYTHONPATH: library,
          UV_CACHE_DIR: join(directory, "uv-cache"),
          UV_NO_CONFIG: "1",
          ...(index === "" ? {} : { UV_DEFAULT_INDEX: index }),
          UV_PYTHON_DOWNLOADS: "never",
        },
      });
      return stdout;
    },
  };
}
