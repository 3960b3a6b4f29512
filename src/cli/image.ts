import { join, resolve } from "node:path";
import { z } from "zod";

import { printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import { CHANNELS } from "../image/channel-names.ts";
import { readChannels } from "../image/channels.ts";
import { listImages } from "../image/image-store.ts";
import { listLocks } from "../image/lock/lock-store.ts";
import type { ImageManifest } from "../image/manifest.ts";
import { launcher } from "../launcher/client.ts";
import { directoriesFrom } from "../launcher/directories.ts";
import { askerCwd } from "./farm/asker-cwd.ts";
import { chooseImage, isChannel } from "./farm/choose-image.ts";
import { ensureImage } from "./farm/ensure-image.ts";
import { readConfig } from "./farm/read-config.ts";
import { lockText, megabytes, rebuildFrom, removeImageOf, writeLockTo } from "./image-locks.ts";

const Options = z.object({
  config: z.string().optional(),
  json: z.boolean().default(false),
  force: z.boolean().default(false),
  all: z.boolean().default(false),
  locked: z.string().optional(),
  files: z.boolean().default(false),
  channel: z.enum(CHANNELS).default("stable"),
});

/**
 * `creamery image build|list|show|diff|promote|rollback|lock|export|verify|rm`.
 * @returns the exit code: 1 when `verify` finds a difference.
 */
export async function imageCommand(
  action: ImageAction,
  names: readonly string[],
  given: unknown,
  signal: AbortSignal,
): Promise<number> {
  const options = asOptions(given);
  // The directories are those that the command was started with: what is left is to say so where the file is wrong.
  if (options.config !== undefined) await readConfig(options.config, askerCwd(), launcher());
  const imagesDir = join(directoriesFrom(process.env).cache, "images");
  switch (action) {
    case "build":
      return build(imagesDir, options, signal);
    case "list":
      return list(imagesDir, options.json);
    case "show":
      return show(await chooseImage(imagesDir, names[0]), options.json);
    case "diff":
      return await diff(imagesDir, names, options);
    case "promote": {
      const { id } = await chooseImage(imagesDir, names[0] ?? "next");
      const { channel } = options;
      await launcher().request({ kind: "promote-image", channel, imageId: id }, { signal });
      say(`${channel} is ${id}`);
      return 0;
    }
    case "rollback": {
      const { channel } = options;
      const { imageId } = await launcher().request({ kind: "rollback-image", channel }, { signal });
      say(`${channel} is ${imageId}`);
      return 0;
    }
    case "export":
      return await exportTo(await chooseImage(imagesDir, names[0]), names[1] ?? "", signal);
    case "verify":
      return verify(await chooseImage(imagesDir, names[0]), signal);
    case "lock":
      return await lock(imagesDir, names, signal);
    case "rm":
      say(await removeImageOf(names[0] ?? "", options.files, lockOptions(imagesDir, signal)));
      return 0;
  }
}

export type ImageAction =
  | "build"
  | "list"
  | "show"
  | "diff"
  | "promote"
  | "rollback"
  | "lock"
  | "export"
  | "verify"
  | "rm";

function asOptions(given: unknown): z.infer<typeof Options> {
  const parsed = Options.safeParse(given ?? {});
  if (parsed.success) return parsed.data;
  throw new CreameryError("usage", "is no channel", {
    input: "--channel",
    nextStep: `write ${CHANNELS.join(" or ")}`,
  });
}

async function diff(
  imagesDir: string,
  [from, to]: readonly string[],
  { json, all }: Pick<z.infer<typeof Options>, "json" | "all">,
): Promise<number> {
  const { diffImages } = await import("../image/diff-images.ts");
  const difference = await diffImages(
    imagesDir,
    await chooseImage(imagesDir, from),
    await chooseImage(imagesDir, to),
  );
  const { renderDifference } = await import("./image-diff.ts");
  process.stdout.write(
    json ? `${JSON.stringify({ schema: 1, ...difference })}\n` : renderDifference(difference, all),
  );
  return 0;
}

function lockOptions(imagesDir: string, signal: AbortSignal) {
  return { imagesDir, launcher: launcher(), signal, tell };
}

async function lock(
  imagesDir: string,
  [name = "", file]: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const id = isChannel(name) ? (await chooseImage(imagesDir, name)).id : name;
  const text = await lockText(imagesDir, id);
  if (file === undefined) process.stdout.write(text);
  else say(`${await writeLockTo(file, text, lockOptions(imagesDir, signal))}: the lock of ${id}`);
  return 0;
}

async function build(
  imagesDir: string,
  { force, locked }: Pick<z.infer<typeof Options>, "force" | "locked">,
  signal: AbortSignal,
): Promise<number> {
  const options = lockOptions(imagesDir, signal);
  const { image, built } =
    locked === undefined
      ? await ensureImage({ ...options, force })
      : await rebuildFrom(locked, force, options);
  say(built ? `built ${image.id}` : `${image.id} is there (built ${image.built.at})`);
  return 0;
}

async function list(imagesDir: string, json: boolean): Promise<number> {
  const images = await listImages(imagesDir);
  const locks = await listLocks(imagesDir);
  if (json) {
    const channels = Object.fromEntries(await readChannels(imagesDir));
    process.stdout.write(`${JSON.stringify({ schema: 1, images, channels, locks })}\n`);
    return 0;
  }
  if (images.length === 0) say("no image yet; `creamery image build` makes one");
  const channels = [...(await readChannels(imagesDir))];
  for (const image of images) {
    const pointing = channels.filter(([, id]) => id === image.id).map(([channel]) => channel);
    const gigabytes = (image.sizeBytes / 1e9).toFixed(1);
    say(
      `${image.id}  ${image.target}  ${gigabytes} GB  ${image.files} files  built ${image.built.at}${pointing.length === 0 ? "" : `  ${pointing.join(", ")}`}`,
    );
  }
  for (const id of locks)
    if (!images.some((image) => image.id === id))
      say(`${id}  removed; its lock and files are kept`);
  return 0;
}

function show(image: ImageManifest, json: boolean): number {
  if (json) {
    process.stdout.write(`${JSON.stringify({ schema: 1, image })}\n`);
    return 0;
  }
  say(`${image.id}  ${image.target}`);
  say(`  tree     sha256:${image.treeSha256}, ${image.files} files, ${image.sizeBytes} bytes`);
  say(`  built    ${image.built.at} on ${image.built.host} by ${image.built.by}`);
  if (image.kernel !== null) say(`  kernel   ${image.kernel.release}`);
  for (const one of image.interpreters) {
    say(
      `  ${one.name.padEnd(14)} ${one.fullVersion.padEnd(10)} ${one.executable}${one.uv ? "" : " (virtualenv and pip)"}`,
    );
    const lacks = (one.lacks ?? []).length === 0 ? "" : `; lacks ${one.lacks?.join(", ")}`;
    say(
      `    built by ${one.builder}${one.builder === "debian" ? "" : `, from ${one.origin}`}${lacks}`,
    );
  }
  for (const { name, reason, nextStep } of image.missing) {
    say(`  ${name.padEnd(14)} missing: ${reason}`);
    say(`    next: ${nextStep}`);
  }
  for (const tool of image.tools) say(`  ${tool.name.padEnd(14)} ${tool.version}`);
  say(`  ${image.packages.length} Debian packages (--json lists them with their hashes)`);
  return 0;
}

const ExportEvent = z.object({ packedBytes: z.number(), ofBytes: z.number() });

async function exportTo(image: ImageManifest, file: string, signal: AbortSignal): Promise<number> {
  const path = resolve(askerCwd(), file);
  tell(`packing ${image.id}: ${megabytes(image.sizeBytes)}, about a minute`);
  const onProgress = (event: unknown) => {
    const parsed = ExportEvent.safeParse(event);
    if (!parsed.success) return;
    const { packedBytes, ofBytes } = parsed.data;
    // Names and padding of the archive come to the files' own bytes.
    const percent = Math.min(99, Math.floor((100 * packedBytes) / ofBytes));
    tell(`packed ${percent}%`);
  };
  const { reference, sizeBytes } = await launcher().request(
    { kind: "export-image", imageId: image.id, path },
    { signal, onProgress },
  );
  say(`${path}: ${reference}, ${megabytes(sizeBytes)}`);
  return 0;
}

async function verify(image: ImageManifest, signal: AbortSignal): Promise<number> {
  // Some of an image's files can be read by root alone: the launcher reads them all and says only what differs.
  const result = await launcher().request({ kind: "verify-image", imageId: image.id }, { signal });
  if (result.sound) {
    say(`${image.id} is sound: ${result.files} files are as they were built`);
    return 0;
  }
  for (const difference of result.differences) say(difference);
  say(
    `${image.id} is not what was built; remove it with \`creamery image rm ${image.id}\` and build again`,
  );
  return 1;
}

function say(line: string): void {
  process.stdout.write(`${printableLine(line)}\n`);
}

function tell(line: string): void {
  process.stderr.write(`creamery: ${printableLine(line)}\n`);
}
