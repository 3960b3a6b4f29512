import { Command, CommanderError } from "commander";

import { printableLine } from "../base/bounded-text.ts";
import { CreameryError, diskFullFault, reasonOf } from "../base/errors.ts";
import { addFarmCommands } from "./commands/farm-commands.ts";
import { addImageCommands } from "./commands/image-commands.ts";
import { addKeptCommands } from "./commands/kept-commands.ts";
import { addLookCommands } from "./commands/look-commands.ts";
import { addRunCommands } from "./commands/run-commands.ts";
import type { Finish } from "./commands/shared.ts";
import { interruptedBy } from "./interruption.ts";

/**
 * The command line: the only place where the rooms are wired together. Each command's module is loaded
 * only when it is asked for, so that `--help` and the start of a test stay quick.
 */

const EXIT_CODES = `
Exit codes: 0 done, or all passed or skipped; 1 something failed, or what was checked is not sound;
2 bad usage or input; 3 the farm's own fault; 129, 130, 143 ended by a signal.`;

function program(finish: Finish): Command {
  const root = new Command("creamery")
    .description(
      "A test farm for the Python ecosystem: every release, every interpreter, fresh isolated guests.",
    )
    .exitOverride()
    .showSuggestionAfterError(true)
    .addHelpText("after", EXIT_CODES);
  addRunCommands(root, finish);
  addLookCommands(root, finish);
  addImageCommands(root, finish);
  addKeptCommands(root, finish);
  addFarmCommands(root, finish);
  tellOneLine(root, "./creamery");
  return root;
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
