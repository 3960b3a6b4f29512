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

import { DirectoryBucket } from "../../bucket/directory-bucket.ts";
import { BuildProgress } from "../build-event.ts";
import { sampleLock } from "../lock/image-lock.sample.ts";
import type { ImageLock } from "../lock/image-lock.ts";
import { BucketFiles } from "../lock/kept-files.ts";
import { SourceFiles } from "../lock/source-files.ts";
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

function context(env: NodeJS.ProcessEnv = {}): Omit<BringContext, "files"> {
  return {
    rootfs: join(directory, "rootfs"),
    scratch: join(directory, "scratch"),
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

const ARCHIVE = "506191be3-cpython-3.12.13-x86_64-unknown-linux-gnu.tar.gz";

/** With the build's files; those of a lock come out of a bucket. */
async function uvContext(
  name: string,
  env: NodeJS.ProcessEnv,
  locked: ImageLock | null = null,
): Promise<BringContext> {
  const usual = context(env);
  const { signal } = usual;
  const bucket = join(directory, "bucket");
  const kept = new BucketFiles(await DirectoryBucket.open(bucket), bucket);
  const files = join(directory, name);
  return { ...usual, files: await SourceFiles.open({ directory: files, kept, locked, signal }) };
}

test("uv installs into a directory of the build, and what it made becomes the interpreter's tree", async () => {
  // settle_tree.py runs inside: here the root file system has just enough of a Python to do that.
  await script(
    "rootfs/usr/local/bin/uv",
    `#!/bin/sh
printf '%s\\n' "$@" >"$SAID/arguments"
env >"$SAID/env"
grep -c : /proc/net/dev >"$SAID/networks"
while [ "$1" != --install-dir ]; do shift; done
archive=$UV_PYTHON_CACHE_DIR/${ARCHIVE}
[ -e "$archive" ] || echo python >"$archive"
made=$2/cpython-3.12.13-linux-x86_64-gnu
mkdir -p "$made/bin" "$made/lib/python3.12"
cat "$archive" >"$made/bin/python3.12"
ln -s python3.12 "$made/bin/python3"
ln -s "$made" "$2/cpython-3.12-linux-x86_64-gnu"
`,
  );
  const uv = fromUv(UV_ENTRY);
  const env = { SAID: directory, UV_PYTHON_DOWNLOADS_JSON_URL: "https://other.example/list.json" };
  // The tree is there; that nothing can be run in this root is told as what it is.
  const online = await uvContext("online", env);
  await expect(uv.bring(online)).rejects.toMatchObject({ code: "image-build" });
  const tree = join(directory, "rootfs/opt/creamery/interpreters/cpython-3.12");
  expect(await readFile(join(tree, "bin/python3.12"), "utf8")).toBe("python\n");
  expect(await readlink(join(tree, "bin/python3"))).toBe("python3.12");
  expect((await lstat(tree)).isDirectory()).toBe(true);
  const given = (await readFile(join(directory, "arguments"), "utf8")).trim().split("\n");
  expect(given.slice(0, 3)).toEqual(["python", "install", "--no-config"]);
  expect(given.at(-1)).toBe("cpython-3.12.13");
  // The pinned uv's own list of hashes is the one that counts.
  expect(await readFile(join(directory, "env"), "utf8")).not.toContain("DOWNLOADS_JSON_URL");

  // What it fetched is kept, and once more there is no network to fetch anything from.
  const { archives } = online.files;
  expect(archives).toMatchObject([{ interpreter: "cpython-3.12", file: ARCHIVE, sizeBytes: 7 }]);
  const { signal } = online;
  const bucket = join(directory, "bucket");
  const kept = new BucketFiles(await DirectoryBucket.open(bucket), bucket);
  await kept.keep(archives, join(directory, "online"), signal);
  await writeFile(join(directory, "online", archives[0]?.sha256 ?? ""), "another\n");
  await rm(tree, { recursive: true });
  await rm(join(directory, "scratch"), { recursive: true });
  await mkdir(join(directory, "scratch"));
  const definition = { sha256: "b".repeat(64), files: [] };
  const locked = sampleLock({ definition, packages: [], tools: [], archives });
  const again = await uvContext("again", env, locked);
  await expect(uv.bring(again)).rejects.toMatchObject({ code: "image-build" });
  expect(await readFile(join(tree, "bin/python3.12"), "utf8")).toBe("python\n");
  // Its own loopback, and nothing else.
  expect((await readFile(join(directory, "networks"), "utf8")).trim()).toBe("1");
});

test("a lock that does not name the archive that uv wants ends the build, whether or not the interpreter is optional", async () => {
  await script("rootfs/usr/local/bin/uv", "#!/bin/sh\nexit 1\n");
  const none = { definition: { sha256: "b".repeat(64), files: [] }, packages: [], tools: [] };
  const locked = sampleLock({ ...none, archives: [] });
  const bringing = fromUv(UV_ENTRY).bring(await uvContext("files", {}, locked));
  await expect(bringing).rejects.toMatchObject({ code: "image-build" });
});

test("a uv that can't reach its host says so before anything of the tree is there", async () => {
  await script(
    "rootfs/usr/local/bin/uv",
    "#!/bin/sh\necho 'error: Failed to download cpython-3.12.13' >&2\necho '  Caused by: dns error: failed to lookup address information' >&2\nexit 1\n",
  );
  const uv = fromUv(UV_ENTRY);
  const online = await uvContext("files", {});
  await expect(uv.bring(online)).rejects.toMatchObject({ code: "no-network" });
  expect(await readdir(join(directory, "rootfs"))).toEqual(["usr"]);
});
