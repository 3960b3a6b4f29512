import type { Command } from "commander";

import { interruption } from "../interruption.ts";
import { CONFIG, type Finish } from "./shared.ts";

/** What runs attempts: `test`, `up`, `worker`, and what comes of them. */
export function addRunCommands(root: Command, finish: Finish): void {
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
      const { testCommand } = await import("../test-command.ts");
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
      const { upCommand } = await import("../up.ts");
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
      const { workerCommand } = await import("../worker.ts");
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
      const { reproduceCommand } = await import("../reproduce-command.ts");
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
      const { logCommand } = await import("../log-command.ts");
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
      const { compareCommand } = await import("../compare.ts");
      finish(await compareCommand(a, b, options, interruption()));
    });
}
