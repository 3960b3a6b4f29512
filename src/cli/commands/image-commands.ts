import type { Command } from "commander";

import { interruption } from "../interruption.ts";
import type { ImageAction } from "../image.ts";
import type { SnapshotAction } from "../snapshot.ts";
import { CONFIG, type Finish } from "./shared.ts";

/** `image` and `snapshot`. */
export function addImageCommands(root: Command, finish: Finish): void {
  const image = root
    .command("image")
    .description("build, list, show, compare, promote, lock, export, verify or remove images");
  const imageAction =
    (action: ImageAction) =>
    async (...words: unknown[]): Promise<void> => {
      const { imageCommand } = await import("../image.ts");
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
      const { snapshotCommand } = await import("../snapshot.ts");
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

  for (const command of [...image.commands, ...snapshot.commands]) command.option(...CONFIG);
}
