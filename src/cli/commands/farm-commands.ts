import type { Command } from "commander";

import { interruption } from "../interruption.ts";
import type { QueueAction } from "../queue-command.ts";
import type { TokenAction } from "../token.ts";
import type { WatchAction } from "../watch-command.ts";
import type { Finish } from "./shared.ts";

/** Commands that speak to a farm that runs, by its API (docs/api.md). */
export function addFarmCommands(root: Command, finish: Finish): void {
  const status = root
    .command("status")
    .description("whether the farm is alive, how far behind it is, and what is wrong")
    .action(async (options: unknown) => {
      const { statusCommand } = await import("../status-command.ts");
      finish(await statusCommand(options, interruption()));
    });

  const queue = root
    .command("queue")
    .description("what a farm is to test: look, add, cancel, retry");
  const queueAction =
    (action: QueueAction) =>
    async (...words: unknown[]): Promise<void> => {
      const { queueCommand } = await import("../queue-command.ts");
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
      const { watchCommand } = await import("../watch-command.ts");
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
      const { drainCommand } = await import("../drain-command.ts");
      finish(await drainCommand(host, options, interruption()));
    });

  const token = root
    .command("token")
    .description("who may do what with a farm (docs/principals.md): create, list, revoke");
  const tokenAction =
    (action: TokenAction) =>
    async (...words: unknown[]): Promise<void> => {
      const { tokenCommand } = await import("../token.ts");
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
