import { HOST_PYTHON, type HostTools } from "../guest/host-tools.ts";
import { bringPip } from "./bring-client.ts";

/** What clients choose of an index for the names in `wanted.txt`, with nothing installed and nothing of another index known. */
export interface Asked {
  readonly tools: HostTools;
  /** Where `wanted.txt` lies. */
  readonly directory: string;
  readonly index: string;
}

/** @returns pip's own words. */
export async function askPip(asked: Asked, ...options: readonly string[]): Promise<string> {
  const { tools, directory, index } = asked;
  const own = ["--isolated", "--no-cache-dir", "--disable-pip-version-check"];
  const dry = ["install", "--dry-run", "--index-url", index, "-r", "wanted.txt"];
  return await tools.run(
    await bringPip(tools),
    ["-m", "pip", ...own, ...dry, ...options],
    directory,
  );
}

/** @returns `NAME==VERSION`, a line each. */
export async function askUv(asked: Asked, ...options: readonly string[]): Promise<string> {
  const { tools, directory, index } = asked;
  const own = ["--no-cache", "--no-header", "--no-annotate", "--quiet", "--python", HOST_PYTHON];
  const argv = ["pip", "compile", ...own, "--default-index", index, ...options, "wanted.txt"];
  return await tools.run("uv", argv, directory);
}
