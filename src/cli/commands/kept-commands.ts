import type { Command } from "commander";

import { interruption } from "../interruption.ts";
import type { BucketAction } from "../bucket.ts";
import type { IndexAction } from "../index-command.ts";
import type { StoreAction } from "../store.ts";
import { CONFIG, type Finish } from "./shared.ts";

/** What this host keeps: `bucket`, `index` and `store`. */
export function addKeptCommands(root: Command, finish: Finish): void {
  const bucket = root
    .command("bucket")
    .description("what is kept of attempts (docs/bucket.md): check it, or collect garbage");
  const bucketAction =
    (action: BucketAction) =>
    async (...words: unknown[]): Promise<void> => {
      const { bucketCommand } = await import("../bucket.ts");
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
      const { indexCommand } = await import("../index-command.ts");
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
      const { storeCommand } = await import("../store.ts");
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

  for (const command of [...bucket.commands, ...index.commands, ...store.commands])
    command.option(...CONFIG);
}
