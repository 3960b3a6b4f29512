import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { BuildProgress } from "../build-event.ts";
import { copyFromMaven } from "./maven-client.ts";
import type { BringContext } from "./types.ts";
import { fromUv, type UvEntry } from "./uv.ts";

/** Namespaces are for root to make: the clients of these are fakes, whose words and files are those of the real ones. */

const ARTIFACT = "org.example:cpython:3.12.1:linux-x86_64";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "clients-"));
  await mkdir(join(directory, "scratch"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function script(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(directory, path)), { recursive: true });
  await writeFile(join(directory, path), text);
  await chmod(join(directory, path), 0o755);
}

function context(env: NodeJS.ProcessEnv = {}): BringContext {
  return {
    rootfs: join(directory, "rootfs"),
    scratch: join(directory, "scratch"),
    downloads: join(directory, "downloads"),
    env: { PATH: `${join(directory, "bin")}:/usr/bin:/bin`, ...env },
    progress: new BuildProgress(() => {}),
    signal: new AbortController().signal,
  };
}

const MVN = `#!/bin/sh
printf '%s\\n' "$@" >"$SAID/arguments"
pwd >"$SAID/cwd"
env >"$SAID/env"
for one; do case $one in -DoutputDirectory=*) echo jar >"\${one#*=}/cpython-3.12.1-linux-x86_64.jar" ;; esac; done
`;

const UV_ENTRY: UvEntry = {
  name: "cpython-3.12",
  source: "uv",
  builder: "other",
  version: "3.12.13",
  optional: true,
  uv: true,
  lacks: [],
};

test("Maven is asked for one file, in a directory of its own and with no repository of the person's touched", async () => {
  await script("bin/mvn", MVN);
  const path = join(directory, "got.jar");
  await copyFromMaven(ARTIFACT, path, context({ SAID: directory }));
  expect(await readFile(path, "utf8")).toBe("jar\n");
  const given = (await readFile(join(directory, "arguments"), "utf8")).trim().split("\n");
  expect(given).toContain("-Dartifact=org.example:cpython:3.12.1:jar:linux-x86_64");
  expect(given).toContain(`-Dmaven.repo.local=${join(directory, "scratch/maven/repository")}`);
  expect(given.join(" ")).not.toMatch(/https?:/u);
  expect((await readFile(join(directory, "cwd"), "utf8")).trim()).toBe(
    join(directory, "scratch/maven"),
  );
  expect(await readFile(join(directory, "env"), "utf8")).not.toContain("MAVEN_SKIP_RC");
  expect(await readdir(join(directory, "scratch"))).toEqual([]);
});

test("the settings of whoever asked by sudo are named to it, and no shell file of theirs is run", async () => {
  await script("bin/mvn", MVN);
  await script("home/.m2/settings.xml", "<settings/>");
  const home = join(directory, "home");
  const env = { SAID: directory, CREAMERY_ASKER_HOME: home };
  await copyFromMaven(ARTIFACT, join(directory, "got.jar"), context(env));
  const given = (await readFile(join(directory, "arguments"), "utf8")).trim().split("\n");
  expect(given[given.indexOf("--settings") + 1]).toBe(join(home, ".m2/settings.xml"));
  const said = await readFile(join(directory, "env"), "utf8");
  expect(said).toContain("MAVEN_SKIP_RC=1");
  expect(said).toContain(`HOME=${home}\n`);
});

test("a host without Maven, and a Maven that fails, say so", async () => {
  await mkdir(join(directory, "bin"));
  for (const tool of ["sh", "unshare", "setpriv"])
    await symlink(`/usr/bin/${tool}`, join(directory, "bin", tool));
  const path = join(directory, "got.jar");
  const alone = context({ PATH: join(directory, "bin") });
  await expect(copyFromMaven(ARTIFACT, path, alone)).rejects.toMatchObject({
    code: "host-lacks",
    input: ARTIFACT,
    nextStep: "install maven, then `./creamery image build --force`",
  });
  await script(
    "bin/mvn",
    "#!/bin/sh\necho '[ERROR] Could not find artifact x in central'\nexit 1\n",
  );
  await expect(copyFromMaven(ARTIFACT, path, alone)).rejects.toMatchObject({ code: "upstream" });
});

test("uv installs into a directory of the build, and what it made becomes the interpreter's tree", async () => {
  // settle_tree.py runs inside: here the root file system has just enough of a Python to do that.
  await script(
    "rootfs/usr/local/bin/uv",
    `#!/bin/sh
printf '%s\\n' "$@" >"$SAID/arguments"
env >"$SAID/env"
while [ "$1" != --install-dir ]; do shift; done
made=$2/cpython-3.12.13-linux-x86_64-gnu
mkdir -p "$made/bin" "$made/lib/python3.12"
echo python >"$made/bin/python3.12"
ln -s python3.12 "$made/bin/python3"
ln -s "$made" "$2/cpython-3.12-linux-x86_64-gnu"
`,
  );
  const uv = fromUv(UV_ENTRY);
  const env = { SAID: directory, UV_PYTHON_DOWNLOADS_JSON_URL: "https://other.example/list.json" };
  // The tree is there; that nothing can be run in this root is told as what it is.
  await expect(uv.bring(context(env))).rejects.toMatchObject({ code: "image-build" });
  const tree = join(directory, "rootfs/opt/creamery/interpreters/cpython-3.12");
  expect(await readFile(join(tree, "bin/python3.12"), "utf8")).toBe("python\n");
  expect(await readlink(join(tree, "bin/python3"))).toBe("python3.12");
  expect((await lstat(tree)).isDirectory()).toBe(true);
  const given = (await readFile(join(directory, "arguments"), "utf8")).trim().split("\n");
  expect(given.slice(0, 3)).toEqual(["python", "install", "--no-config"]);
  expect(given.at(-1)).toBe("cpython-3.12.13");
  // The pinned uv's own list of hashes is the one that counts.
  expect(await readFile(join(directory, "env"), "utf8")).not.toContain("DOWNLOADS_JSON_URL");
});

test("a uv that can't reach its host says so before anything of the tree is there", async () => {
  await script(
    "rootfs/usr/local/bin/uv",
    "#!/bin/sh\necho 'error: Failed to download cpython-3.12.13' >&2\necho '  Caused by: dns error: failed to lookup address information' >&2\nexit 1\n",
  );
  const uv = fromUv(UV_ENTRY);
  await expect(uv.bring(context())).rejects.toMatchObject({ code: "no-network" });
  expect(await readdir(join(directory, "rootfs"))).toEqual(["usr"]);
});
