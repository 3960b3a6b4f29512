import type { Command } from "commander";

import { interruption } from "../interruption.ts";
import { CONFIG, type Finish } from "./shared.ts";

/** What looks at this host, and at what its farm has found. */
export function addLookCommands(root: Command, finish: Finish): void {
  root
    .command("doctor")
    .description("what this host has, lacks, and what to type next")
    .option(...CONFIG)
    .option("--json", "print one JSON object")
    .action(async (options: unknown) => {
      const { doctorCommand } = await import("../doctor.ts");
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
      const { capacityCommand } = await import("../capacity.ts");
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
      const { dependentsCommand } = await import("../dependents.ts");
      finish(await dependentsCommand(name, options));
    });

  root
    .command("coverage")
    .description("what was tested of all releases that were seen, and what was not and why")
    .option("--days <n>", "of so many days", "7")
    .option(...CONFIG)
    .option("--json", "print one JSON object (docs/admission.md)")
    .action(async (options: unknown) => {
      const { coverageCommand } = await import("../coverage.ts");
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
      const { reportCommand } = await import("../report-command.ts");
      finish(await reportCommand(directory, options, interruption()));
    });
}
