import { execFileSync, spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const SCRIPT = join(import.meta.dirname, "unpack_archive.py");

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "unpack-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** An archive that this Python makes: `add` puts a file, `link` a link, `z` and `t` are the archives themselves. */
function make(kind: "zip" | "tar", code: string): string {
  const path = join(directory, kind === "zip" ? "a.jar" : "a.tar.gz");
  const prelude =
    kind === "zip"
      ? `
import sys, zipfile, stat
z = zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED)
def add(name, data=b"x", mode=0):
    info = zipfile.ZipInfo(name); info.external_attr = mode << 16; info.compress_type = zipfile.ZIP_DEFLATED
    z.writestr(info, data)
def link(name, goal): add(name, goal, stat.S_IFLNK | 0o777)
`
      : `
import sys, tarfile, io
t = tarfile.open(sys.argv[1], "w:gz")
def add(name, data=b"x", mode=0o644):
    info = tarfile.TarInfo(name); info.size = len(data); info.mode = mode
    t.addfile(info, io.BytesIO(data))
def special(name, kind, goal=""):
    info = tarfile.TarInfo(name); info.type = kind; info.linkname = goal
    t.addfile(info)
def link(name, goal): special(name, tarfile.SYMTYPE, goal)
`;
  const end = kind === "zip" ? "z.close()" : "t.close()";
  execFileSync("python3", ["-W", "ignore", "-c", `${prelude}\n${code}\n${end}`, path]);
  return path;
}

function unpack(archive: string, tree = ".", maxBytes = 1_000_000, maxEntries = 100) {
  const target = join(directory, "out/deep/tree");
  const given = [archive, tree, target, String(maxBytes), String(maxEntries)];
  const { status, stderr } = spawnSync("python3", ["-I", "-S", "-B", SCRIPT, ...given], {
    encoding: "utf8",
  });
  return { status, said: stderr.trim().split("\n").at(-1) ?? "", target };
}

test("a jar's tree is unpacked alone, with modes that it does not have", () => {
  const archive = make(
    "zip",
    'add("META-INF/x"); add("org/tree/bin/python3.12"); add("org/tree/lib/a.py", b"a")',
  );
  const { status, target } = unpack(archive, "org/tree");
  expect(status).toBe(0);
  expect(readdirSync(target).toSorted()).toEqual(["bin", "lib"]);
  expect(readFileSync(join(target, "lib/a.py"), "utf8")).toBe("a");
  expect(statSync(join(target, "lib/a.py")).mode & 0o7777).toBe(0o644);
  expect(statSync(join(target, "lib")).mode & 0o7777).toBe(0o755);
});

test("a tar's links within the tree stay links, its hard links files, its odd modes plain ones", () => {
  const archive = make(
    "tar",
    'add("py/bin/python3.12", b"elf", 0o4777); link("py/bin/python", "python3.12"); link("py/lib64", "lib"); special("py/bin/same", tarfile.LNKTYPE, "py/bin/python3.12"); add("py/lib/x", b"", 0o600)',
  );
  const { status, target } = unpack(archive, "py");
  expect(status).toBe(0);
  expect(readlinkSync(join(target, "bin/python"))).toBe("python3.12");
  expect(readFileSync(join(target, "bin/same"), "utf8")).toBe("elf");
  expect(statSync(join(target, "bin/python3.12")).mode & 0o7777).toBe(0o755);
  expect(statSync(join(target, "lib/x")).mode & 0o7777).toBe(0o644);
});

test.each([
  ["zip", "a path that climbs out", 'add("a"); add("../../evil")', /leads out of the archive/u],
  ["zip", "an absolute path", 'add("/evil")', /leads out of the archive/u],
  ["zip", "a path of another system", 'add("..\\\\evil")', /leads out of the archive/u],
  ["zip", "a link to the host", 'link("lib", "/etc")', /link that leads out of the tree/u],
  ["zip", "a link that climbs out", 'link("a/b", "../../evil")', /link that leads out/u],
  ["zip", "a file behind a link", 'link("a", "b"); add("a/evil")', /behind a link/u],
  ["zip", "a file in a link's place", 'link("a", "b"); add("a")', /behind a link|in it twice/u],
  ["zip", "a file twice", 'add("a"); add("a", b"other")', /in it twice/u],
  ["zip", "a device", 'add("a", b"", stat.S_IFCHR | 0o666)', /neither file, directory nor link/u],
  ["zip", "too large a file", 'add("a", b"0" * 2_000_000)', /larger than 1000000 bytes/u],
  ["zip", "too many entries", 'for n in range(200): add("f%d" % n)', /more than 100 entries/u],
  ["zip", "nothing", "", /no files below/u],
  ["tar", "a path that climbs out", 'add("a"); add("../../evil")', /leads out of the archive/u],
  ["tar", "a file behind a link", 'link("a", "b"); add("a/evil")', /behind a link/u],
  ["tar", "a link to the host", 'link("a", "/etc/passwd")', /link that leads out/u],
  [
    "tar",
    "a hard link to the host",
    'special("a", tarfile.LNKTYPE, "/etc/passwd")',
    /hard link .* leads out/u,
  ],
  [
    "tar",
    "a hard link to a link",
    'link("l", "x"); special("a", tarfile.LNKTYPE, "l")',
    /hard link to what is no file/u,
  ],
  [
    "tar",
    "a link that leads out through another",
    'add("a/b/c/f"); link("a/b/c/up", "../../.."); link("a/b/c/out", "up/../evil")',
    /link that leads through another/u,
  ],
  [
    "tar",
    "a link that leads out through a later one",
    'add("a/b/c/f"); link("a/b/c/out", "up/../evil"); link("a/b/c/up", "../../..")',
    /"?'a\/b\/c\/out' is a link that leads out of the tree/u,
  ],
  [
    "tar",
    "a link to such a one",
    'add("a/b/c/f"); link("bin", "a/b/c/out"); link("a/b/c/out", "up/../evil"); link("a/b/c/up", "../../..")',
    /is a link that leads out of the tree/u,
  ],
  [
    "zip",
    "a link that leads out through a later one",
    'link("x", "a/up/../../evil"); link("a/up", "..")',
    /'x' is a link that leads out of the tree/u,
  ],
  [
    "tar",
    "a hard link to what lies behind a link",
    'add("d/f"); link("l", "d"); special("a", tarfile.LNKTYPE, "l/f")',
    /hard link to what is no file/u,
  ],
  ["tar", "a device", 'special("a", tarfile.CHRTYPE)', /neither file, directory nor link/u],
  ["tar", "a pipe", 'special("a", tarfile.FIFOTYPE)', /neither file, directory nor link/u],
] as const)("a %s with %s is refused, and nothing lies outside", (kind, _, code, why) => {
  const { status, said } = unpack(make(kind, code));
  expect(status).toBe(1);
  expect(said).toMatch(/^refused: /u);
  expect(said).toMatch(why);
  const made = readdirSync(directory, { recursive: true, encoding: "utf8" });
  expect(made.filter((path) => path.includes("evil"))).toEqual([]);
});

test("no file from outside comes in by a hard link behind links", () => {
  mkdirSync(join(directory, "out/deep/outside"), { recursive: true });
  writeFileSync(join(directory, "out/deep/outside/secret"), "s3cret");
  const archive = make(
    "tar",
    'add("a/b/c/f"); link("a/b/c/out", "up/../outside"); link("a/b/c/up", "../../.."); special("stolen", tarfile.LNKTYPE, "a/b/c/out/secret")',
  );
  const { status, said, target } = unpack(archive);
  expect(status).toBe(1);
  expect(said).toMatch(/hard link to what is no file of the tree/u);
  expect(readdirSync(target)).not.toContain("stolen");
});

test("links to links within the tree are whole", () => {
  const archive = make(
    "tar",
    'add("py/bin/python3.12"); link("py/bin/python3", "python3.12"); link("py/bin/python", "python3"); link("py/lib/x/y", "../../bin/./python"); link("py/top", "lib/.."); link("py/missing", "bin/none")',
  );
  const { status, said, target } = unpack(archive, "py");
  expect({ status, said }).toEqual({ status: 0, said: "" });
  expect(readFileSync(join(target, "lib/x/y"), "utf8")).toBe("x");
});

test("a file that unpacks to more than it says is cut off", () => {
  const archive = make("zip", 'add("a", b"0" * 500_000)');
  // Both of its headers say 10 bytes.
  execFileSync("python3", [
    "-c",
    "import sys; p = sys.argv[1]; d = open(p, 'rb').read(); open(p, 'wb').write(d.replace((500000).to_bytes(4, 'little'), (10).to_bytes(4, 'little')))",
    archive,
  ]);
  const { status, said, target } = unpack(archive);
  expect(status).toBe(1);
  expect(said).toMatch(/^refused: /u);
  expect(statSync(join(target, "a")).size).toBeLessThan(500_000);
});

test.each(["zip", "tar"] as const)("a %s that is cut short is refused", (kind) => {
  const archive = make(kind, 'import os\nadd("a", os.urandom(300_000))');
  truncateSync(archive, 100_000);
  const { status, said } = unpack(archive);
  expect(status).toBe(1);
  expect(said).toMatch(/^refused: /u);
});

test("a tree that would lie outside of the archive is no tree", () => {
  mkdirSync(join(directory, "out"), { recursive: true });
  expect(unpack(make("zip", 'add("a")'), "../x").status).not.toBe(0);
});
