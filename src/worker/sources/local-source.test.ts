import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { makeWheel } from "../../../test/upstream/make-wheel.ts";
import { CreameryError } from "../../base/errors.ts";
import { LauncherClient } from "../../launcher/client.ts";
import { toLauncherSchema, type LauncherRequest } from "../../launcher/protocol.ts";
import type { Session } from "../../launcher/session.ts";
import { packTree, probeUserPath, readUserFile } from "../../launcher/user-files.ts";
import type { ResolvedSource } from "../attempt-job.ts";
import { resolveSource } from "./resolve-source.ts";
import { parseTarget } from "./target.ts";

const signal = new AbortController().signal;
let root = "";
let cwd = "";
let requests: LauncherRequest[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "creamery-local-"));
  cwd = join(root, "cwd");
  requests = [];
  mkdirSync(cwd);
  mkdirSync(join(root, "received"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A launcher in this process: its own functions for files, with the rights of whoever runs the test. */
function launcher(): LauncherClient {
  const session: Session = {
    id: "s1-1",
    directory: root,
    repository: root,
    sockets: root,
    guests: root,
    exchange: root,
    received: join(root, "received"),
  };
  const client = new LauncherClient(root, (message) => {
    const parsed = toLauncherSchema.parse(message);
    if ("abort" in parsed) return;
    const { id, request } = parsed;
    requests.push(request);
    answer(session, request).then(
      (value) => client.receive({ id, value }),
      (thrown: unknown) =>
        client.receive({
          id,
          error:
            thrown instanceof CreameryError
              ? { code: thrown.code, reason: thrown.message, input: thrown.input }
              : { code: "launcher", reason: String(thrown) },
        }),
    );
  });
  return client;
}

function answer(session: Session, request: LauncherRequest): Promise<unknown> {
  // Root's rights are those of the process: none are dropped.
  const asked = { session, asker: { uid: 0, gid: 0 }, signal };
  if (request.kind === "probe-user-path") return probeUserPath({ ...asked, ...request });
  if (request.kind === "pack-tree") return packTree({ ...asked, ...request });
  if (request.kind === "read-user-file") return readUserFile({ ...asked, ...request });
  throw new Error(`${request.kind} is no business of a source`);
}

function resolve(text: string): Promise<ResolvedSource> {
  const context = {
    index: () => {
      throw new Error("a path needs no index");
    },
    launcher: launcher(),
    directory: root,
    cwd,
    mirrors: () => {
      throw new Error("a path needs no repository");
    },
  };
  return resolveSource(parseTarget(text), context, signal);
}

async function refusal(text: string): Promise<CreameryError> {
  const outcome: unknown = await resolve(text).catch((thrown: unknown) => thrown);
  if (outcome instanceof CreameryError) return outcome;
  throw new Error(`${text} was taken`);
}

function write(path: string, content: string | Buffer): string {
  const whole = join(cwd, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, content);
  return whole;
}

function sha256Of(path: string | undefined): string {
  return createHash("sha256")
    .update(readFileSync(path ?? ""))
    .digest("hex");
}

describe("a directory", () => {
  test.each(["pyproject.toml", "setup.py", "setup.cfg"])("with %s is packed", async (name) => {
    write(`My_Project/${name}`, "");
    write("My_Project/src/pkg/__init__.py", "x = 1\n");
    const source = await resolve("./My_Project");
    expect(source).toMatchObject({
      kind: "tree",
      project: "my-project",
      version: "",
      wheelFile: null,
      sourceFile: { filename: "my-project.tar" },
      label: "./My_Project",
    });
    expect(source.sourceFile?.sha256).toBe(sha256Of(source.sourceFile?.path));
    const listed = execFileSync("tar", ["-tf", source.sourceFile?.path ?? ""], {
      encoding: "utf8",
    });
    expect(listed.split("\n")).toContain("./src/pkg/__init__.py");
  });

  test("has the same hash for the same content, and the same bytes while nothing is written", async () => {
    const file = write("p/setup.py", "");
    write("p/pkg/a.py", "x = 1\n");
    linkSync(file, join(cwd, "p/hard.py"));
    symlinkSync("a.py", join(cwd, "p/pkg/link.py"));
    mkdirSync(join(cwd, "p/empty"));
    const first = await resolve("p/");
    execFileSync("touch", ["-a", "-d", "2001-01-01", file]);
    expect(await resolve("p/")).toMatchObject({
      sha256: first.sha256,
      sourceFile: { sha256: first.sourceFile?.sha256 },
    });
    utimesSync(file, 1_600_000_000, 1_600_000_000);
    chmodSync(file, 0o600);
    if (process.getuid?.() === 0) chownSync(file, 1234, 1234);
    write("p/.git/index", "another");
    write("p/pkg/__pycache__/a.pyc", "another");
    write("p/build/lib/a.py", "another");
    const again = await resolve("./p");
    expect(again.sha256).toBe(first.sha256);
    // The times themselves are kept: a build tells by them what is older than its source.
    const verbose = execFileSync(
      "tar",
      ["-tvf", again.sourceFile?.path ?? "", "--utc", "./setup.py"],
      { encoding: "utf8" },
    );
    expect(verbose).toMatch(/^-rw------- 0\/0 .* 2020-09-13 12:26 /u);
    write("p/pkg/a.py", "x = 2\n");
    expect((await resolve("p/")).sha256).not.toBe(first.sha256);
  });

  test("of dots alone has its own name", async () => {
    write("setup.py", "");
    expect(await resolve(".")).toMatchObject({ project: "cwd", label: "cwd" });
    cwd = join(cwd, "sub");
    mkdirSync(cwd);
    expect(await resolve("..")).toMatchObject({ project: "cwd", label: "cwd" });
  });

  test("without any of them is no project, and is not packed to learn so", async () => {
    write("dir/big.bin", Buffer.alloc(3_000_000));
    const error = await refusal("./dir");
    expect(error.code).toBe("not-a-project");
    expect(error.line).toMatch(/\/cwd\/dir: has no pyproject\.toml, .*; give the directory/u);
    expect(new Set(requests.map(({ kind }) => kind))).toEqual(new Set(["probe-user-path"]));
  });
});

describe("a file", () => {
  test("that is a wheel is given as it is", async () => {
    write("dist/My_Pkg-1.0rc1-py3-none-any.whl", makeWheel("My_Pkg", "1.0rc1", { "m.py": "" }));
    const source = await resolve("dist/My_Pkg-1.0rc1-py3-none-any.whl");
    expect(source).toMatchObject({
      kind: "wheel",
      project: "my-pkg",
      version: "1.0rc1",
      wheelFile: { filename: "My_Pkg-1.0rc1-py3-none-any.whl", sha256: source.sha256 },
      label: "dist/My_Pkg-1.0rc1-py3-none-any.whl",
    });
    expect(source.sha256).toBe(sha256Of(source.wheelFile?.path));
  });

  test.each([
    [
      "x-1.0.tar.gz",
      "<html>not found</html>",
      "bad-archive",
      /\/cwd\/x-1\.0\.tar\.gz: is no gzip/u,
    ],
    ["./notes.txt", "notes", "bad-archive", /neither a wheel nor an sdist/u],
  ])("%s that begins with %j is refused as %s", async (path, content, code, line) => {
    write(path, content);
    const error = await refusal(path);
    expect(error.code).toBe(code);
    expect(error.line).toMatch(line);
  });

  test.each([
    ["./attrs", /\/cwd\/attrs: there is no such file or directory; write attrs alone/u],
    ["attrs/", /there is no such file or directory; write attrs alone/u],
    ["a/b", /there is no such file or directory; check the path/u],
    ["x-1.0.tar.gz", /there is no such file or directory; check the path/u],
    ["~/x", /\/cwd\/~\/x: there is no such file or directory/u],
    ["./x[tests]", /\/cwd\/x: there is no such file or directory; write x alone/u],
    ["./x[te sts]", /\/cwd\/x\[te sts\]: there is no such file or directory; check/u],
  ])("%s that is not there is told so", async (path, line) => {
    const error = await refusal(path);
    expect([error.code, error.exitCode]).toEqual(["no-such-path", 2]);
    expect(error.line).toMatch(line);
  });

  test("a directory named like an archive is a directory", async () => {
    write("x.zip/setup.py", "");
    expect(await resolve("x.zip")).toMatchObject({ kind: "tree", project: "x-zip" });
  });
});

describe("extras in brackets", () => {
  test.each([
    ["./p[tests]", ["tests"], "./p[tests]"],
    ["p/[Dev_x, tests,tests]", ["dev-x", "tests"], "p/[dev-x,tests]"],
    ["dist/x-1.0-py3-none-any.whl[a]", ["a"], "dist/x-1.0-py3-none-any.whl[a]"],
    ["y-1.0.tar.gz[a]", ["a"], "y-1.0.tar.gz[a]"],
    [".[tests]", ["tests"], "cwd[tests]"],
  ])("%s", async (text, extras, label) => {
    write("setup.py", "");
    write("p/setup.py", "");
    write("dist/x-1.0-py3-none-any.whl", makeWheel("x", "1.0", {}));
    write("y-1.0.tar.gz", gzipSync(""));
    const bare = await resolve(text.replace(/\[.*/u, ""));
    const source = await resolve(text);
    expect(source).toMatchObject({ extras, label, kind: bare.kind, project: bare.project });
    expect(source.sha256).toBe(bare.sha256);
    expect(bare.extras).toEqual([]);
  });

  test("are none where a path with the brackets in its name is there", async () => {
    write("p/setup.py", "1");
    write("p[tests]/setup.py", "22");
    expect(await resolve("./p[tests]")).toMatchObject({ extras: [], label: "./p[tests]" });
    expect((await resolve("./p[tests]")).sha256).not.toBe((await resolve("./p")).sha256);
    expect(await resolve("./p[tests][a]")).toMatchObject({ extras: ["a"] });
  });
});

test("a file's name without a slash is not told to an index", async () => {
  writeFileSync(join(cwd, "odd.txt"), "");
  mkdirSync(join(cwd, "zope.interface"));
  expect((await refusal("odd.txt")).line).toMatch(
    /\/odd\.txt: is a file that is no project, sdist or wheel; give a directory, a \.whl/u,
  );
  for (const name of ["zope.interface", "none.txt", "odd.txt>=0"])
    await expect(resolve(name)).rejects.toThrow("a path needs no index");
});
