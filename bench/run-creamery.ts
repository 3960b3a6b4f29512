import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const REPOSITORY = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs `./creamery` as a person does; its standard error goes to ours. */
export async function runCreamery(
  argv: readonly string[],
): Promise<{ code: number | null; stdout: string; seconds: number }> {
  const began = performance.now();
  const child = spawn(join(REPOSITORY, "creamery"), [...argv], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NO_COLOR: "1" },
  });
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  const ended: unknown[] = await once(child, "close");
  const code = ended[0];
  return {
    code: typeof code === "number" ? code : null,
    stdout,
    seconds: (performance.now() - began) / 1000,
  };
}
