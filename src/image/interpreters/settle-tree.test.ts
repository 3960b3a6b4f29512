import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const SCRIPT = join(import.meta.dirname, "settle_tree.py");
const OLD = "/home/builder/presets/cpython/with/a/long/way/to/its/own/prefix/of/linux-x86_64/tree";

let tree = "";
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "settle-"));
});
afterEach(() => rmSync(tree, { recursive: true, force: true }));

function put(path: string, content: string | Buffer, mode = 0o644): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), content);
  chmodSync(join(tree, path), mode);
}

function read(path: string): string {
  return readFileSync(join(tree, path), "latin1");
}

function settle(): { status: number | null; said: string } {
  const { status, stderr } = spawnSync("python3", ["-I", "-S", "-B", SCRIPT, tree, "3.12"], {
    encoding: "utf8",
  });
  return { status, said: stderr.trim() };
}

/** As a build that was made to be started by a JVM comes out of its jar. */
function plantTree(prefix: string): void {
  const python = "#!/bin/sh\nexit 1\n";
  put("bin/python3.12", python);
  put("bin/python3", python);
  put("bin/pip3", `#!${prefix}/bin/python3.12\n`);
  put("python3.12", Buffer.from("\x7fELF copy"));
  put("libjnipython.so", Buffer.from("\x7fELF"));
  put("libpython3.12.so.1.0", Buffer.from("\x7fELF lib"));
  put("lib/pkgconfig/python-3.12.pc", `prefix=${prefix}\nlibdir=\${prefix}/lib\n`);
  put("lib/python3.12/os.py", "#!/usr/bin/env python3\n# see commands/install of pip\n");
  put("lib/python3.12/__pycache__/os.cpython-312.pyc", "old");
  put(
    "lib/python3.12/_sysconfigdata__linux_x86_64-linux-gnu.py",
    `# made\nbuild_time_vars = {'LDSHARED': 'gcc -shared -s -Wl,-rpath,\\\\$ORIGIN/,-rpath,x', 'LDFLAGS': '-L${prefix}/lib -Wl,-rpath,y -s', 'CFLAGS': '-s -O2', 'SIZE': 4}\n`,
  );
  put(
    "lib/python3.12/config-3.12/Makefile",
    `LDSHARED=\tgcc -shared -s -Wl,-rpath,x\nprefix=\t${prefix}\n`,
  );
  put("lib/python3.12/config-3.12/install-sh", "#!/bin/sh\n");
  const compiled = `\x7fELF\0${prefix}/ssl\0other\0PATH=${prefix}/lib:${prefix}/more\0${prefix}-not\0end`;
  put("lib/python3.12/lib-dynload/_ssl.so", Buffer.from(compiled, "latin1"));
}

test("a tree that was built for elsewhere is at home where it lies", () => {
  plantTree(OLD);
  const size = statSync(join(tree, "lib/python3.12/lib-dynload/_ssl.so")).size;
  expect(settle()).toEqual({ status: 0, said: "" });
  expect(readlinkSync(join(tree, "bin/python3"))).toBe("python3.12");
  expect(readlinkSync(join(tree, "bin/python"))).toBe("python3.12");
  expect(statSync(join(tree, "bin/python3.12")).mode & 0o777).toBe(0o755);
  expect(statSync(join(tree, "lib/python3.12/config-3.12/install-sh")).mode & 0o777).toBe(0o755);
  expect(statSync(join(tree, "lib/python3.12/os.py")).mode & 0o777).toBe(0o644);
  expect(readlinkSync(join(tree, "lib/libpython3.12.so"))).toBe("libpython3.12.so.1.0");
  for (const gone of [
    "python3.12",
    "libjnipython.so",
    "libpython3.12.so.1.0",
    "lib/python3.12/__pycache__",
  ])
    expect(existsSync(join(tree, gone)), gone).toBe(false);
  expect(read("bin/pip3")).toBe(`#!${tree}/bin/python3.12\n`);
  expect(read("lib/pkgconfig/python-3.12.pc")).toContain(`prefix=${tree}\n`);
  const variables = read("lib/python3.12/_sysconfigdata__linux_x86_64-linux-gnu.py");
  expect(variables).toContain(`'LDSHARED': 'gcc -shared'`);
  expect(variables).toContain(`'LDFLAGS': '-L${tree}/lib'`);
  // Only what extensions are linked with is another.
  expect(variables).toContain(`'CFLAGS': '-s -O2'`);
  expect(read("lib/python3.12/config-3.12/Makefile")).toBe(
    `LDSHARED=\tgcc -shared\nprefix=\t${tree}\n`,
  );
  const compiled = read("lib/python3.12/lib-dynload/_ssl.so");
  expect(compiled).toHaveLength(size);
  expect(compiled.split("\0").filter((text) => text !== "")).toEqual([
    "\x7fELF",
    `${tree}/ssl`,
    "other",
    `PATH=${tree}/lib:${tree}/more`,
    `${OLD}-not`,
    "end",
  ]);
});

test("done again, it changes nothing", () => {
  plantTree(OLD);
  settle();
  const before = read("lib/python3.12/_sysconfigdata__linux_x86_64-linux-gnu.py");
  expect(settle()).toEqual({ status: 0, said: "" });
  expect(read("lib/python3.12/_sysconfigdata__linux_x86_64-linux-gnu.py")).toBe(before);
  expect(lstatSync(join(tree, "bin/python3")).isSymbolicLink()).toBe(true);
});

test("a prefix that is a word of other texts is replaced only where building is told of", () => {
  plantTree("/install");
  put("lib/python3.12/x.py", "# /install is a word\n");
  expect(settle()).toEqual({ status: 0, said: "" });
  expect(read("lib/python3.12/x.py")).toBe("# /install is a word\n");
  expect(read("lib/python3.12/os.py")).toContain("commands/install of pip");
  expect(read("lib/pkgconfig/python-3.12.pc")).toContain(`prefix=${tree}\n`);
  expect(read("lib/python3.12/_sysconfigdata__linux_x86_64-linux-gnu.py")).toContain(
    `'-L${tree}/lib'`,
  );
});

test.each([
  ["-L/a -Wl,-rpath -Wl,/opt/x/lib -lz", "-L/a -lz"],
  ["gcc -shared -Wl,-O1 -Wl,-rpath-link -Wl,/x -s", "gcc -shared -Wl,-O1"],
  ["-Wl,-rpath-link,/x -Wl,-rpath=/y -lz", "-lz"],
  ["-lz -Xlinker -rpath -Xlinker /opt/x -lm", "-lz -lm"],
  ["-lz -Xlinker -rpath=/opt/x -Xlinker -O1", "-lz -Xlinker -O1"],
  ["-Wl,-rpath -lz", "-lz"],
  ["-Wl,-O1 -static-libgcc", "-Wl,-O1 -static-libgcc"],
])("of %j its own linking is taken, and the word after where it is the path", (flags, left) => {
  plantTree(OLD);
  put("lib/python3.12/_sysconfigdata_x.py", `build_time_vars = {'LDFLAGS': '${flags}'}\n`);
  expect(settle()).toEqual({ status: 0, said: "" });
  expect(read("lib/python3.12/_sysconfigdata_x.py")).toContain(`'LDFLAGS': '${left}'`);
});

test.each([
  "import os\nbuild_time_vars = {}\n",
  "build_time_vars = dict(A=open(__file__ + '.ran', 'w').close())\n",
  "other = {}\n",
  "build_time_vars = {\n",
])("what says how it was built is read, and never run: %j", (content) => {
  plantTree(OLD);
  put("lib/python3.12/_sysconfigdata_x.py", content);
  const { status, said } = settle();
  expect(status).toBe(1);
  expect(said).toMatch(/_sysconfigdata_x\.py is not one assignment of build_time_vars$/u);
  expect(existsSync(join(tree, "lib/python3.12/_sysconfigdata_x.py.ran"))).toBe(false);
});

test("the interpreter itself is started as the job's user, and what it says leads nowhere else", () => {
  plantTree(OLD);
  chmodSync(tree, 0o755);
  const outside = `${basename(tree)}-outside`;
  put(
    "bin/python3.12",
    `#!/bin/sh\necho "${tree}/ssl/$(id -u)-$(id -g)-$(id -G).pem"\necho "${tree}/../${outside}/certs"\n`,
  );
  expect(settle()).toEqual({ status: 0, said: "" });
  const [certificates = ""] = readdirSync(join(tree, "ssl"));
  const uid = process.getuid?.() ?? 0;
  expect(certificates).toMatch(uid === 0 ? /^1000-1000-1000\.pem$/u : new RegExp(`^${uid}-`, "u"));
  expect(readlinkSync(join(tree, "ssl", certificates))).toBe("/etc/ssl/certs/ca-certificates.crt");
  expect(existsSync(join(tree, "..", outside))).toBe(false);
});

test.each(["/usr", "/opt", "/etc/"])(
  "a prefix that the image has too (%s) is refused",
  (prefix) => {
    plantTree(prefix);
    const { status, said } = settle();
    expect(status).toBe(1);
    expect(said).toBe(
      `it was built for ${prefix.replace(/\/$/u, "")}, which the image has too: its own paths can't be told from the image's`,
    );
  },
);

test("a compiled file that has no room for the new prefix, and a tree without Python, are told", () => {
  expect(settle()).toEqual({ status: 1, said: "there is no bin/python3.12 in it" });
  plantTree("/a/b/c");
  expect(settle().said).toMatch(/_ssl\.so was built for \/a\/b\/c, which is shorter than/u);
});
