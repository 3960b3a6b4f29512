import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

import { exitCodeOf } from "../base/child.ts";
import { runAs } from "./asker.ts";
import { faultIn } from "./child-fault.ts";
import { replySchemas, type LauncherReply } from "./protocol.ts";
import { openExchanged, type FileRequest } from "./user-files.ts";

export interface TreeRequest extends FileRequest {
  readonly part: string;
  /** Whether files are for their owner alone to read. */
  readonly isPrivate: boolean;
}

/**
 * A directory of files, put together with the rights of the person who asked and of nobody more: by a child of theirs, which
 * writes below the directory and nowhere else (written-tree.ts).
 * @throws CreameryError `output-file`, `disk-full`.
 */
export async function beginUserTree(
  request: FileRequest,
): Promise<LauncherReply<"begin-user-tree">> {
  const part = await run({ ...request, part: "", isPrivate: true }, "begin", Readable.from([]));
  return replySchemas["begin-user-tree"].parse({ part });
}

/** @param request `content` names a file of the exchange directory: frames. @throws CreameryError `output-file`, `disk-full`, `launcher`. */
export async function addToUserTree(request: TreeRequest & { content: string }): Promise<void> {
  const { handle } = await openExchanged(request.session, request.content);
  try {
    await run(request, "add", handle.createReadStream({ autoClose: false }));
  } finally {
    await handle.close();
  }
}

/** It takes the directory's place, or nothing comes of it. @throws CreameryError `output-file`, `disk-full`. */
export async function endUserTree(request: TreeRequest & { keep: boolean }): Promise<void> {
  await run(request, request.keep ? "keep" : "drop", Readable.from([]));
}

async function run(
  { session, asker, path, part, isPrivate, signal }: TreeRequest,
  action: string,
  content: Readable,
): Promise<string> {
  const script = join(session.repository, "src/launcher/user-tree-child.ts");
  const words = [action, path, part, isPrivate ? "077" : "022"];
  const child = runAs(asker, [process.execPath, script, ...words], signal, {
    // What takes its place is not to end half-way, nor what was begun to be left.
    detached: true,
  });
  const [ended, said, told] = [exitCodeOf(child), text(child.stdout), text(child.stderr)];
  // It may end before it has read all.
  await pipeline(content, child.stdin).catch(() => undefined);
  const [code, answer, fault] = [await ended, await said, await told];
  signal.throwIfAborted();
  if (code !== 0) throw faultIn(fault, "output-file", "what writes the directory");
  return answer;
}
