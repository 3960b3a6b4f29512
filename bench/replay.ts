import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { stringify } from "smol-toml";

import { parsePylock } from "../src/index/lock/pylock.ts";
import { ResultJson, type AttemptJson } from "../src/model/result-json.ts";
import { bar, printBars, type Bar } from "./bars.ts";
import { runCreamery } from "./run-creamery.ts";

/**
 * Small releases of this host's index, each tested, half of them built from their sdists, and then replayed from its locks with
 * the upstream at a port where nothing listens: the same files by hash, the same verdicts. In directories of its own. As root.
 *
 *     npm run -s bench:replay -- [--projects six,idna] [--json]
 */

const CONFIGURATION = "cpython-3.13";
const PROJECTS = [
  "six",
  "idna",
  "markupsafe",
  "attrs",
  "click",
  "iniconfig",
  "pluggy",
  "packaging",
  "itsdangerous",
  "blinker",
] as const;
const argv = process.argv.slice(2);
const at = argv.indexOf("--projects");
const projects: readonly string[] = at < 0 ? PROJECTS : (argv[at + 1] ?? "").split(",");

const room = mkdtempSync(join(tmpdir(), "creamery-replay-"));
chmodSync(room, 0o755);
mkdirSync(join(room, "run"));
process.env["CREAMERY_DATA_DIR"] = join(room, "data");
process.env["CREAMERY_RUN_DIR"] = join(room, "run");
const config = (name: string, table: Parameters<typeof stringify>[0]): string => {
  const path = join(room, name);
  writeFileSync(path, stringify(table), { mode: 0o644 });
  return path;
};
/** The discard port: nothing listens there, and who tries is told so at once. */
const NOWHERE = "http://127.0.0.1:9";
const online = config("online.toml", {});
const offline = config("offline.toml", {
  upstreams: { index: `${NOWHERE}/simple/`, crates: `sparse+${NOWHERE}/crates/` },
});

async function attempt(words: readonly string[], configFile: string): Promise<AttemptJson | null> {
  const { stdout } = await runCreamery([...words, "--config", configFile, "--json"]);
  return stdout === "" ? null : (ResultJson.parse(JSON.parse(stdout)).attempts[0] ?? null);
}

/** `FILENAME SHA256` of all that both locks name. */
function lockedFiles({ evidence }: AttemptJson): readonly string[] {
  return [evidence.lock, evidence.buildLock]
    .flatMap((path) => (path === null || path === undefined ? [] : [readFileSync(path, "utf8")]))
    .flatMap((text) => parsePylock(text).packages)
    .flatMap(({ sdist, wheels = [] }) => [...wheels, ...(sdist === undefined ? [] : [sdist])])
    .map(({ name, hashes }) => `${name} ${hashes["sha256"]}`)
    .toSorted();
}

const verdictOf = ({ outcome, cause, phase, tests }: AttemptJson): string =>
  JSON.stringify([outcome, cause, phase, tests]);

interface Pair {
  readonly project: string;
  readonly before: AttemptJson | null;
  readonly after: AttemptJson | null;
}

const sameFiles = ({ before, after }: Pair): boolean =>
  before !== null &&
  after !== null &&
  before.evidence.lock !== null &&
  JSON.stringify(lockedFiles(before)) === JSON.stringify(lockedFiles(after)) &&
  before.axes.lock === after.axes.lock;
const sameVerdict = ({ before, after }: Pair): boolean =>
  before !== null && after !== null && verdictOf(before) === verdictOf(after);

try {
  const pairs: Pair[] = [];
  for (const [index, project] of projects.entries()) {
    const from = index % 2 === 1 ? ["--from", "sdist"] : [];
    const before = await attempt(["test", project, "--on", CONFIGURATION, ...from], online);
    const after = before === null ? null : await attempt(["reproduce", before.id], offline);
    pairs.push({ project, before, after });
  }
  const rows = pairs.map((pair): Bar => {
    const { project, before, after } = pair;
    const files = before === null ? 0 : lockedFiles(before).length;
    return {
      what: `${project} ${before?.version ?? ""}, ${before?.installed ?? "not installed"}`,
      value: `${before?.outcome ?? "none"} / ${after?.outcome ?? "none"}, ${files}`,
      unit: "files",
      bar: "same files and verdict",
      holds: sameFiles(pair) && sameVerdict(pair),
    };
  });
  const all = { op: ">=", than: projects.length } as const;
  const passed = pairs.filter(({ before }) => before?.outcome === "pass").length;
  printBars(
    [
      ...rows,
      bar("replays with the same files by hash", pairs.filter(sameFiles).length, "", all),
      bar("replays with the same verdict", pairs.filter(sameVerdict).length, "", all),
      bar("of these passes", passed, "", { op: ">", than: 0 }),
    ],
    process.argv,
  );
} finally {
  rmSync(room, { recursive: true, force: true });
}
