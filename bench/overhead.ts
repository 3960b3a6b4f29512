import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { parse } from "smol-toml";

import { Pylock } from "../src/index/lock/pylock.ts";
import { ResultJson, type AttemptJson } from "../src/model/result-json.ts";
import { bar, median, printBars } from "./bars.ts";
import { REPOSITORY, runCreamery } from "./run-creamery.ts";

/**
 * What a test costs beside the tests: `./creamery test lmdb --on cpython-3.13`, with all that it fetches on this host
 * already; and its tests' time against a plain chroot of the same image. By turns, in one run. As root.
 *
 *     npm run -s bench:overhead -- [--rounds N] [--json]
 */

const PROJECT = "lmdb";
const CONFIGURATION = "cpython-3.13";
const argv = process.argv.slice(2);
const at = argv.indexOf("--rounds");
const ROUNDS = at < 0 ? 5 : Number(argv[at + 1]);
const cache = process.env["CREAMERY_CACHE_DIR"] ?? "/var/cache/creamery";

interface Run {
  readonly attempt: AttemptJson;
  /** Of the whole command, start to end. */
  readonly wallSeconds: number;
}

async function creamery(...more: readonly string[]): Promise<Run> {
  const { stdout, seconds } = await runCreamery([
    "test",
    PROJECT,
    "--on",
    CONFIGURATION,
    "--json",
    ...more,
  ]);
  const [attempt] = ResultJson.parse(JSON.parse(stdout)).attempts;
  if (attempt === undefined) throw new Error("the command told of no attempt");
  return { attempt, wallSeconds: seconds };
}

const seconds = ({ attempt }: Run, name: string): number => attempt.seconds[name] ?? 0;
/** The tests' own time: the first run's, of what failed by itself, and of the run that confirms. */
const testing = (run: Run): number =>
  ["test", "retest", "confirm-test"].reduce((sum, name) => sum + seconds(run, name), 0);
/** Told apart in the result; what the run that confirms spends of it is in `confirm`. */
const setUp = (run: Run): number =>
  ["venv", "install", "build", "dependencies"].reduce((sum, name) => sum + seconds(run, name), 0);

const scratch = mkdtempSync(join(tmpdir(), "creamery-bench-"));
try {
  // Not counted: it fetches what is not there yet, and says which files the chroot needs.
  const first = await creamery();
  const files = filesOf(first.attempt);
  const gvisor: Run[] = [];
  const container: Run[] = [];
  const plain: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    gvisor.push(await creamery());
    plain.push(inChroot(first.attempt, files));
    container.push(await creamery("--machine", "container"));
  }
  const testsOf = (runs: readonly Run[]) => median(runs.map((run) => seconds(run, "test")));
  const chroot = median(plain);
  printBars(
    [
      bar(
        "all but the tests' own time, whole command",
        median(gvisor.map((run) => run.wallSeconds - testing(run))),
        "s",
        { op: "<", than: 3 },
      ),
      bar(
        "farm's own time of the attempt: all but venv, install, build, tests",
        median(gvisor.map((run) => seconds(run, "farm"))),
        "s",
        { op: "<", than: 0.7 },
      ),
      bar("venv, install and dependencies", median(gvisor.map(setUp)), "s"),
      bar(
        "run that confirms, all but its tests",
        median(gvisor.map((run) => seconds(run, "confirm"))),
        "s",
      ),
      bar(
        "command around the attempt: start, index, results",
        median(
          gvisor.map(
            (run) =>
              run.wallSeconds -
              seconds(run, "total") -
              seconds(run, "confirm") -
              seconds(run, "confirm-test"),
          ),
        ),
        "s",
      ),
      bar("tests in a plain chroot", chroot, "s"),
      bar("tests on gvisor", testsOf(gvisor), "s"),
      bar("tests in a container", testsOf(container), "s"),
      bar("gvisor / chroot", testsOf(gvisor) / chroot, "", { op: "<", than: 2.5 }),
      bar("container / chroot", testsOf(container) / chroot, "", { op: "<", than: 1.1 }),
    ],
    process.argv,
  );
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** The wheels of the attempt's lock under their names, and the sdist; out of what the mirror keeps. */
function filesOf(attempt: AttemptJson): { readonly directory: string; readonly sdist: string } {
  if (attempt.evidence.lock === null) throw new Error("the attempt has no lock");
  const lock = Pylock.parse(parse(readFileSync(attempt.evidence.lock, "utf8")));
  const kept = (sha256: string) => join(cache, "index/files/sha256", sha256.slice(0, 2), sha256);
  const directory = join(scratch, "files");
  mkdirSync(directory);
  for (const wheel of lock.packages.flatMap(({ wheels = [] }) => wheels))
    copyFileSync(kept(wheel.hashes["sha256"] ?? ""), join(directory, wheel.name ?? ""));
  return { directory, sdist: kept(attempt.source.sha256) };
}

function inChroot(
  { image, project }: AttemptJson,
  { directory, sdist }: ReturnType<typeof filesOf>,
): number {
  const said = execFileSync(
    "unshare",
    [
      "--mount",
      "--propagation",
      "private",
      "bash",
      join(REPOSITORY, "bench/chroot-tests.sh"),
      join(cache, "images", image, "rootfs"),
      directory,
      sdist,
      project,
      "pytest",
      "tests",
    ],
    { encoding: "utf8" },
  );
  return Number(said.trim().split("\n").at(-1));
}
