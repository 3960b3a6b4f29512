import { Command, CommanderError } from "commander";

import { printableLine } from "../base/bounded-text.ts";
import { CreameryError, diskFullFault, reasonOf } from "../base/errors.ts";
import type { BucketAction } from "./bucket.ts";
import type { ImageAction } from "./image.ts";
import type { IndexAction } from "./index-command.ts";
import { interruptedBy, interruption } from "./interruption.ts";
import type { QueueAction } from "./queue-command.ts";
import type { SnapshotAction } from "./snapshot.ts";
import type { StoreAction } from "./store.ts";
import type { TokenAction } from "./token.ts";
import type { WatchAction } from "./watch-command.ts";

/**
 * The command line: the only place where the rooms are wired together. Each command's module is loaded
 * only when it is asked for, so that `--help` and the start of a test stay quick.
 */

const EXIT_CODES = `
Exit codes: 0 done, or all passed or skipped; 1 something failed, or what was checked is not sound;
2 bad usage or input; 3 the farm's own fault; 129, 130, 143 ended by a signal.`;

const CONFIG = ["--config <file>", "in place of the clone's creamery.toml"] as const;

function program(finish: (code: number) => void): Command {
  const root = new Command("creamery")
    .description(
      "A test farm for the Python ecosystem: every release, every interpreter, fresh isolated guests.",
    )
    .exitOverride()
    .showSuggestionAfterError(true)
    .addHelpText("after", EXIT_CODES);

  root
    .command("test")
    .description("test releases, trees, archives or repositories on many interpreters")
    .argument(
      "<target...>",
      "lmdb, 'attrs==25.3.0', ./my-project, an sdist or wheel, git+https://…@ref",
    )
    .option("--on <list>", "configurations, comma-separated; `all` or `priority`", "priority")
    .option("--from <kind>", "`sdist` builds even where a published wheel fits", "auto")
    .option("--machine <kind>", "auto, qemu, gvisor or container", "auto")
    .option("--image <id>", "an image by its id, or `stable` or `next`; `stable` by default")
    .option("--at <instant>", "with the index as it was: 2025-06-01, or 2025-06-01T12:00:00Z")
    .option("--jobs <n>", "attempts that run side by side; one for each core by default")
    .option(...CONFIG)
    .option("--json", "print one JSON object (docs/json.md)")
    .option("--junit <file>", "write a JUnit report too")
    .option("--report <dir>", "write pages of this run as files too (docs/report.md)")
    .option("--log", "show the whole log while it grows")
    .action(async (targets: string[], options: unknown) => {
      const { testCommand } = await import("./test-command.ts");
      finish(await testCommand(targets, options, interruption()));
    });

  root
    .command("up")
    .description("run the farm: watchers, queue, workers, index and API on this host")
    .option("--machine <kind>", "auto, qemu, gvisor or container", "auto")
    .option("--image <id>", "an image by its id, or `stable` or `next`; `stable` by default")
    .option("--no-worker", "take no jobs on this host")
    .option(...CONFIG)
    .action(async (options: unknown) => {
      const { upCommand } = await import("./up.ts");
      finish(await upCommand(options, interruption()));
    });

  root
    .command("worker")
    .description("take a share of a farm's jobs on this host; it needs an address and a token")
    .requiredOption("--farm <url>", "https://farm.example")
    .requiredOption("--token-file <file>", "holds this worker's token, and nothing else")
    .option("--ca-file <file>", "authorities to trust besides this host's, PEM")
    .option("--machine <kind>", "auto, qemu, gvisor or container", "auto")
    .option("--slots <n>", "jobs side by side; one for each core by default")
    .option(...CONFIG)
    .action(async (options: unknown) => {
      const { workerCommand } = await import("./worker.ts");
      finish(await workerCommand(options, interruption()));
    });

  root
    .command("reproduce")
    .description("run an attempt once more: same image, same lock, same plan")
    .argument("<attempt>", "its id, or a beginning of it")
    .option(...CONFIG)
    .option("--json", "print one JSON object (docs/json.md)")
    .option("--junit <file>", "write a JUnit report too")
    .option("--log", "show the whole log while it grows")
    .action(async (id: string, options: unknown) => {
      const { reproduceCommand } = await import("./reproduce-command.ts");
      finish(await reproduceCommand(id, options, interruption()));
    });

  root
    .command("log")
    .description("show what is kept of an attempt: its log, or another part of it")
    .argument("<attempt>", "its id, or a beginning of it")
    .argument(
      "[name]",
      "report.json, pylock.toml, pylock.build.toml, record.json or again.json",
      "log.txt",
    )
    .option("--where", "only where it lies, packed")
    .option(...CONFIG)
    .action(async (id: string, name: string, options: unknown) => {
      const { logCommand } = await import("./log-command.ts");
      finish(await logCommand(id, name, options, interruption()));
    });

  root
    .command("compare")
    .description("test projects with A and with B, one thing changed between them: what breaks")
    .argument(
      "<a>",
      "setuptools==83, ./dist/x.whl, date:2026-10-01, image:stable, on:cpython-3.13, env:NAME=value or none",
    )
    .argument("<b>", "the same kind of thing, changed")
    .requiredOption("--projects <file>", "one project on each line, as `test` takes them")
    .option("--on <list>", "configurations, comma-separated; `all` or `priority`, the default")
    .option("--from <kind>", "`sdist` builds even where what changes builds nothing", "auto")
    .option("--machine <kind>", "auto, qemu, gvisor or container", "auto")
    .option("--image <id>", "an image by its id, or `stable` or `next`; `stable` by default")
    .option("--jobs <n>", "attempts that run side by side; one for each core by default")
    .option("--fresh", "begin anew what was begun before")
    .option(...CONFIG)
    .option("--json", "print one JSON object (docs/compare.md)")
    .action(async (a: string, b: string, options: unknown) => {
      const { compareCommand } = await import("./compare.ts");
      finish(await compareCommand(a, b, options, interruption()));
    });

  root
    .command("doctor")
    .description("what this host has, lacks, and what to type next")
    .option(...CONFIG)
    .option("--json", "print one JSON object")
    .action(async (options: unknown) => {
      const { doctorCommand } = await import("./doctor.ts");
      finish(await doctorCommand(options));
    });

  root
    .command("capacity")
    .description("what attempts cost, what some cores keep up with, and who would wait")
    .option("--price-per-hour <dollars>", "of one host; by default the 2014 note's, by its cores")
    .option("--cores <n>", "of one host; 8 by default, as the note's")
    .option("--configurations <n>", "that each release is tested on; 9 by default")
    .option("--releases-per-minute <n>", "9 by default, the public index's")
    .option("--machine <kind>", "qemu, gvisor or container; that of most attempts by default")
    .option("--seed <n>", "of the simulated day; the same seed gives the same day", "1")
    .option(...CONFIG)
    .option("--json", "print one JSON object (docs/capacity.md)")
    .action(async (options: unknown) => {
      const { capacityCommand } = await import("./capacity.ts");
      finish(await capacityCommand(options, interruption()));
    });

  root
    .command("dependents")
    .description("who depends on a project, as far as this farm knows: who was tested here")
    .argument("<name>", "a project")
    .option("--transitive", "also those who need it through others")
    .option("--extras", "also those who need it for an extra alone")
    .option("--limit <n>", "list no more than so many", "100")
    .option(...CONFIG)
    .option("--json", "print one JSON object (docs/admission.md)")
    .action(async (name: string, options: unknown) => {
      const { dependentsCommand } = await import("./dependents.ts");
      finish(await dependentsCommand(name, options));
    });

  root
    .command("coverage")
    .description("what was tested of all releases that were seen, and what was not and why")
    .option("--days <n>", "of so many days", "7")
    .option(...CONFIG)
    .option("--json", "print one JSON object (docs/admission.md)")
    .action(async (options: unknown) => {
      const { coverageCommand } = await import("./coverage.ts");
      finish(await coverageCommand(options));
    });

  root
    .command("report")
    .description(
      "write the pages of this host's farm as files, for any file server or to open from disk",
    )
    .argument("<dir>", "a new or an empty directory, or one that a report was written to before")
    .option(
      "--project <name>",
      "of this project alone; may be given more than once",
      (name: string, before: string[] | undefined) => [...(before ?? []), name],
    )
    .option("--private", "private projects too; the files are then yours alone to read")
    .option("--newest <n>", "so many attempts of each release on each configuration at most", "3")
    .option(
      "--url <url>",
      "where the files will lie, for feeds and badges: https://pages.example/report",
    )
    .option(...CONFIG)
    .action(async (directory: string, options: unknown) => {
      const { reportCommand } = await import("./report-command.ts");
      finish(await reportCommand(directory, options, interruption()));
    });

  const image = root
    .command("image")
    .description("build, list, show, compare, promote, lock, export, verify or remove images");
  const imageAction =
    (action: ImageAction) =>
    async (...words: unknown[]): Promise<void> => {
      const { imageCommand } = await import("./image.ts");
      // commander passes the arguments, then the options, then the command.
      const names = words.filter((word) => typeof word === "string");
      finish(await imageCommand(action, names, words.at(-2), interruption()));
    };
  image
    .command("build")
    .description("build the image of the definition, if it is not there yet")
    .option("--force", "build even if it is there")
    .option(
      "--locked <file>",
      "the image of a lock, bit for bit, out of the files that were kept when it was built; nothing is fetched",
    )
    .action(imageAction("build"));
  image
    .command("list")
    .description("the images of this host")
    .option("--json", "as JSON")
    .action(imageAction("list"));
  image
    .command("show")
    .description("what is in an image")
    .argument("[id]", "newest by default")
    .option("--json", "as JSON")
    .action(imageAction("show"));
  image
    .command("diff")
    .description("what one image has otherwise than another, what breaks people first")
    .argument("<from>", "an id, `stable` or `next`")
    .argument("<to>", "an id, `stable` or `next`")
    .option("--all", "every line, however many")
    .option("--json", "as JSON")
    .action(imageAction("diff"));
  image
    .command("promote")
    .description("point a channel to an image: tests run on `stable`")
    .argument("[id]", "`next` by default")
    .option("--channel <name>", "stable or next", "stable")
    .action(imageAction("promote"));
  image
    .command("rollback")
    .description("point a channel to where it pointed before")
    .option("--channel <name>", "stable or next", "stable")
    .action(imageAction("rollback"));
  image
    .command("export")
    .description("write an image as an archive that `podman load` and `docker load` take")
    .argument("<id>", "an id, `stable` or `next`")
    .argument("<file>", "is replaced when it is there")
    .option(
      "--oci",
      "an OCI image layout, which docker reads too; the default, there is no other yet",
    )
    .action(imageAction("export"));
  image
    .command("verify")
    .description("recompute an image's hash; names what differs")
    .argument("[id]", "newest by default")
    .action(imageAction("verify"));
  image
    .command("lock")
    .description(
      "every file that an image was made of, by version and sha256, for `build --locked`",
    )
    .argument("<id>", "an id, of a removed image too, `stable` or `next`")
    .argument("[file]", "standard output without; is replaced when it is there")
    .action(imageAction("lock"));
  image
    .command("rm")
    .description("remove an image; its lock and the files that it names stay")
    .argument("<id>")
    .option("--files", "these too, but for files that another lock names")
    .action(imageAction("rm"));

  const snapshot = root
    .command("snapshot")
    .description("what virtual machines are copied from: list, make or remove");
  const snapshotAction =
    (action: SnapshotAction) =>
    async (...words: unknown[]): Promise<void> => {
      const { snapshotCommand } = await import("./snapshot.ts");
      const name = words.find((word) => typeof word === "string");
      finish(await snapshotCommand(action, name, words.at(-2), interruption()));
    };
  snapshot
    .command("list")
    .description("the snapshots of this host, what is in them and what they save")
    .option("--json", "as JSON")
    .action(snapshotAction("list"));
  snapshot
    .command("make")
    .description("make the one that a test would use, if it is not there; a test does it by itself")
    .option(
      "--image <id>",
      "an image by its id, or `stable` or `next`; what a test takes by default",
    )
    .action(snapshotAction("make"));
  snapshot
    .command("rm")
    .description("remove a snapshot; it is made again when it is wanted")
    .argument("<key>", "as `snapshot list` shows it")
    .action(snapshotAction("rm"));

  const bucket = root
    .command("bucket")
    .description("what is kept of attempts (docs/bucket.md): check it, or collect garbage");
  const bucketAction =
    (action: BucketAction) =>
    async (...words: unknown[]): Promise<void> => {
      const { bucketCommand } = await import("./bucket.ts");
      finish(await bucketCommand(action, words.at(-2), interruption()));
    };
  bucket
    .command("check")
    .description("read all of it and hold it against its hashes; names what is damaged or missing")
    .option("--quick", "look only at what is there, and read nothing of it")
    .option("--json", "print one JSON object")
    .action(bucketAction("check"));
  bucket
    .command("gc")
    .description("remove what [retention] keeps no more; nothing that is pinned or referred to")
    .option("--dry-run", "remove nothing; list what would go, and why")
    .option("--json", "print one JSON object")
    .action(bucketAction("gc"));

  const index = root
    .command("index")
    .description(
      "the mirror of this host's indexes (docs/index.md): serve it alone, and see to it",
    );
  const indexAction =
    (action: IndexAction) =>
    async (...words: unknown[]): Promise<void> => {
      const { indexCommand } = await import("./index-command.ts");
      const names = words
        .slice(0, -2)
        .flat()
        .filter((word) => typeof word === "string");
      finish(await indexCommand(action, names, words.at(-2), interruption()));
    };
  index
    .command("serve")
    .description("for pip, uv and cargo of whoever reaches it, until Ctrl-C")
    .option("--listen <place>", "an address and port of this host", "127.0.0.1:8347")
    .action(indexAction("serve"));
  index
    .command("stats")
    .description("what it keeps, how much of that is pinned, and how far it is from its bound")
    .option("--json", "print one JSON object")
    .action(indexAction("stats"));
  index
    .command("verify")
    .description("hold all that is kept against its hashes; what is wrong goes into quarantine")
    .option("--json", "print one JSON object")
    .action(indexAction("verify"));
  index
    .command("prefetch")
    .description("fetch pages and files before they are asked for, so that they are served offline")
    .argument(
      "[names...]",
      "lmdb, 'attrs==25.3.0': the newest release that fits, without what it needs",
    )
    .option("-r, --requirements <file>", "what a requirements file names; with hashes, those files")
    .option(
      "--lock <file>",
      "exactly the files of a pylock.toml, by their hashes; may be given more than once",
      (file: string, before: string[] | undefined) => [...(before ?? []), file],
    )
    .option("--only-wheels", "no sdists")
    .option("--all-releases", "of each release that fits")
    .option("--max-gib <n>", "fetch no more than so much", "4")
    .option("--json", "print one JSON object")
    .action(indexAction("prefetch"));
  index
    .command("gc")
    .description("down to index.max_gib, the least recently used first; nothing that is pinned")
    .option("--dry-run", "remove nothing; list what would go")
    .option("--json", "print one JSON object")
    .action(indexAction("gc"));

  const store = root
    .command("store")
    .description("results and queue (docs/store.md): copy, check, or move to another database");
  const storeAction =
    (action: StoreAction) =>
    async (...words: unknown[]): Promise<void> => {
      const { storeCommand } = await import("./store.ts");
      const file = words.slice(0, -2).find((word) => typeof word === "string");
      finish(await storeCommand(action, file, words.at(-2), interruption()));
    };
  const WHICH = [
    "--store <location>",
    "a path or postgres:// URL; the farm's own by default",
  ] as const;
  store
    .command("backup")
    .description(
      "copy it while the farm runs: SQLite's as a file to open, PostgreSQL's as `export`",
    )
    .argument("<file>", "is replaced when it is there")
    .option(...WHICH)
    .action(storeAction("backup"));
  store
    .command("check")
    .description("read all of it: database, results and queue; names what is not sound")
    .option(...WHICH)
    .option("--bucket", "look too for the logs and reports that it refers to")
    .option("--json", "print one JSON object")
    .action(storeAction("check"));
  store
    .command("export")
    .description("write all of it as an archive that either database imports")
    .argument("<file>", "is replaced when it is there; `-` for standard output")
    .option(...WHICH)
    .action(storeAction("export"));
  store
    .command("import")
    .description("fill an empty store with an archive: all of it, or nothing")
    .argument("<file>", "of `store export`; `-` for standard input")
    .option("--into <location>", "a path or postgres:// URL; the farm's own by default")
    .action(storeAction("import"));
  for (const command of [
    ...image.commands,
    ...snapshot.commands,
    ...bucket.commands,
    ...index.commands,
    ...store.commands,
  ])
    command.option(...CONFIG);

  addFarmCommands(root, finish);
  tellOneLine(root, "./creamery");
  return root;
}

/** Commands that speak to a farm that runs, by its API (docs/api.md). */
function addFarmCommands(root: Command, finish: (code: number) => void): void {
  const status = root
    .command("status")
    .description("whether the farm is alive, how far behind it is, and what is wrong")
    .action(async (options: unknown) => {
      const { statusCommand } = await import("./status-command.ts");
      finish(await statusCommand(options, interruption()));
    });

  const queue = root
    .command("queue")
    .description("what a farm is to test: look, add, cancel, retry");
  const queueAction =
    (action: QueueAction) =>
    async (...words: unknown[]): Promise<void> => {
      const { queueCommand } = await import("./queue-command.ts");
      const given = words
        .slice(0, -2)
        .flat()
        .filter((word) => typeof word === "string");
      finish(await queueCommand(action, given, words.at(-2), interruption()));
    };
  const listed = [
    queue
      .command("list", { isDefault: true })
      .description("how much is queued, and the newest jobs")
      .option("--state <state>", "queued, waiting, leased, done, dead, cancelled or superseded"),
    queue.command("dead").description("jobs that were given up: what an operator should look at"),
  ];
  for (const command of listed)
    command
      .option("--project <name>", "of this project alone")
      .option("--lane <lane>", "manual, priority, rest or background")
      .option("--limit <n>", "so many jobs at most", "50")
      .action(queueAction(command.name() === "dead" ? "dead" : "list"));
  queue
    .command("add")
    .description("have something tested; nothing waits for it here")
    .argument("<target...>", "lmdb, 'attrs==25.3.0', git+https://…@ref")
    .option("--on <list>", "configurations, comma-separated; `all` or `priority`", "priority")
    .option("--lane <lane>", "manual (before all others), priority, rest or background", "manual")
    .action(queueAction("add"));
  queue
    .command("cancel")
    .description("end jobs that wait or run")
    .argument("<job...>", "as `queue list` shows them")
    .action(queueAction("cancel"));
  queue
    .command("retry")
    .description("queue dead or cancelled jobs again, as if they were new")
    .argument("<job...>", "as `queue dead` shows them")
    .action(queueAction("retry"));

  const watch = root
    .command("watch")
    .description("whose releases a running farm tests as they come: add, list, rm");
  const watchAction =
    (action: WatchAction) =>
    async (...words: unknown[]): Promise<void> => {
      const { watchCommand } = await import("./watch-command.ts");
      const names = words
        .slice(0, -2)
        .flat()
        .filter((word) => typeof word === "string");
      finish(await watchCommand(action, names, words.at(-2), interruption()));
    };
  watch
    .command("add")
    .description("from now on")
    .argument("[names...]", "projects, as the index calls them")
    .option("--all", "everything that the index has")
    .action(watchAction("add"));
  watch.command("list").description("what is watched").action(watchAction("list"));
  watch
    .command("rm")
    .description("no more")
    .argument("[names...]")
    .option("--all", "no more everything; what was named stays")
    .action(watchAction("rm"));

  const drain = root
    .command("drain")
    .description("have a host end what it runs and take nothing more")
    .argument("[host]", "the only one by default")
    .option("--resume", "have it take jobs again")
    .option("--reason <text>", "for those who look at `status`")
    .action(async (host: string | undefined, options: unknown) => {
      const { drainCommand } = await import("./drain-command.ts");
      finish(await drainCommand(host, options, interruption()));
    });

  const token = root
    .command("token")
    .description("who may do what with a farm (docs/principals.md): create, list, revoke");
  const tokenAction =
    (action: TokenAction) =>
    async (...words: unknown[]): Promise<void> => {
      const { tokenCommand } = await import("./token.ts");
      const word = words.slice(0, -2).find((one) => typeof one === "string");
      finish(await tokenCommand(action, word, words.at(-2), interruption()));
    };
  token
    .command("create")
    .description("make a principal; its token is shown this once")
    .argument("<name>", "for people: 'ci of lmdb'")
    .option("--kind <kind>", "person, program or worker", "program")
    .option("--scopes <list>", "of worker, operate, read-private, enqueue, admin")
    .option("--projects <list>", "bound to these alone")
    .option("--days <n>", "good for so long; for ever without")
    .action(tokenAction("create"));
  token.command("list").description("all of them").action(tokenAction("list"));
  token
    .command("revoke")
    .description("make a token good for nothing, for good")
    .argument("<id>", "as `token list` shows it")
    .action(tokenAction("revoke"));

  for (const command of [status, drain, ...queue.commands, ...token.commands, ...watch.commands])
    command
      .option("--farm <url>", "a farm elsewhere, in place of the one that runs on this host")
      .option("--token-file <file>", "what it knows you by")
      .option("--json", "print one JSON object");
}

/** @param typed the command as one types it, whose help is the next step after what was mistyped of it. */
function tellOneLine(command: Command, typed: string): void {
  command.configureOutput({ writeErr: (text) => process.stderr.write(oneLine(text, typed)) });
  for (const one of command.commands) tellOneLine(one, `${typed} ${one.name()}`);
}

/** commander's word on what was typed, with the next step; its help, which goes there too, as it is. */
function oneLine(text: string, typed: string): string {
  const [, reason] = /^error: ([^]+)$/u.exec(text) ?? [];
  if (reason === undefined) return text;
  const [, said = "", meant] = /^([^]*?)(?:\n\(Did you mean ([^]+)\?\))?\n*$/u.exec(reason) ?? [];
  const nextStep = meant === undefined ? `see ${typed} --help` : `did you mean ${meant}?`;
  return `creamery: ${printableLine(said)}; ${nextStep}\n`;
}

/** Runs one command line and answers with its exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  let code = 0;
  try {
    await program((result) => {
      code = result;
    }).parseAsync([...argv], { from: "user" });
    return code;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    return report(interruptedBy() ?? thrown);
  }
}

function report(caught: unknown): number {
  const thrown = diskFullFault(caught, pathOf(caught)) ?? caught;
  if (thrown instanceof CreameryError) {
    process.stderr.write(`creamery: ${thrown.line}\n`);
    return thrown.exitCode;
  }
  const debug =
    (process.env["CREAMERY_DEBUG"] ?? "") !== "" && thrown instanceof Error
      ? `\n${thrown.stack}`
      : "";
  process.stderr.write(
    `creamery: internal fault: ${reasonOf(thrown)}; please report it, with CREAMERY_DEBUG=1 for the details${debug}\n`,
  );
  return 3;
}

/** What the system was doing where it named a file. */
function pathOf(thrown: unknown): string {
  return thrown instanceof Error && "path" in thrown ? String(thrown.path) : "the farm's files";
}

// Who has read enough closes the pipe: that is no fault, and nothing that is left to do depends on it.
let outputFault: number | null = null;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE" || outputFault !== null) return;
  process.exitCode = outputFault = report(
    diskFullFault(error, "standard output") ??
      new CreameryError("output-file", `can't be written: ${error.code ?? error.message}`, {
        input: "standard output",
      }),
  );
});
process.stderr.on("error", () => undefined);

const ended = await main(process.argv.slice(2));
process.exitCode = outputFault ?? ended;
// The launcher's channel keeps the process alive otherwise.
process.disconnect?.();
