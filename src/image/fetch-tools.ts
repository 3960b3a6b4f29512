import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { ImageDefinition } from "./definition.ts";
import { runStep } from "./run-step.ts";

/**
 * Fetches the definition's tools with the host's own pip, from the index that it is configured for, by
 * version and hash, and unpacks them into `DIRECTORY/unpacked`.
 */
export async function fetchTools(definition: ImageDefinition, directory: string, signal: AbortSignal): Promise<void> {
  const wheels = join(directory, "wheels");
  await mkdir(wheels, { recursive: true });
  const requirements = join(directory, "requirements.txt");
  const lines = definition.tools.map((tool) => `${tool.name}==${tool.version} ${tool.sha256.map((hash) => `--hash=sha256:${hash}`).join(" ")}\n`);
  await writeFile(requirements, lines.join(""));
  await runStep({
    argv: [
      "python3", "-m", "pip", "--no-input", "--disable-pip-version-check", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
      "--python-version", "3.11", "--platform", "manylinux_2_28_x86_64", "--platform", "manylinux2014_x86_64", "--platform", "any",
      "--require-hashes", "-r", requirements, "-d", wheels,
    ],
    env: pipEnvironment(),
    what: "pip (fetching the image's tools)",
    nextStep: "check the network and pip's index (`pip config list`), then run the same command again",
    signal,
  });
  const unpack = "import sys, zipfile\nfor path in sys.argv[2:]: zipfile.ZipFile(path).extractall(sys.argv[1])";
  const paths = (await readdir(wheels)).filter((name) => name.endsWith(".whl")).map((name) => join(wheels, name));
  await runStep({
    argv: ["python3", "-I", "-c", unpack, join(directory, "unpacked"), ...paths],
    what: "unpacking the image's tools",
    nextStep: "check the free space of the cache directory",
    signal,
  });
}

/** The host's pip reads its settings from here; a virtual environment's own settings come with its python3 in PATH. */
function pipEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => /^(?:PIP_|HOME$|PATH$|XDG_CONFIG|SSL_CERT|REQUESTS_CA_BUNDLE$|PYENV)/u.test(name));
  return Object.fromEntries(kept.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}
